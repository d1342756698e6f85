"""What `agent doctor` asks a registry, a question each; `registry.probing` puts them in order.

May import what `registry` may. Probes look at what the client's own parts achieve; only where those
hide how a registry answered do they send a request themselves.
"""
