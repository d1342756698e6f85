"""Who we are at a registry: credentials and where they are kept, challenges, tokens.

May import what `registry` may, and of it the transport. Secrets go to the registry that they are
for, and to a token server that it may name (`realms`).
"""
