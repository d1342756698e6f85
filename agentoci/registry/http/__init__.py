"""One exchange with a server: connections, TLS trust, proxies, redirects, patience, politeness.

May import `content` and everything below, and of `registry` its errors and hosts.
"""
