"""The command line: parse, one call to `api`, print."""
