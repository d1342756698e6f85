"""What is wrong, or likely wrong, with a folder that an agent is built from.

Imports `builder` and what lies below; nothing here opens a connection.
"""
