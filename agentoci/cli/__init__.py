"""The command line: parse, one call to `api`, print.

May import `api`, and `spec`, `config`, `errors` for values; not what lies between.
"""
