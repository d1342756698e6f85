"""The `.agentdef` model: what an agent is, needs and may do.

Reads YAML and JSON safely, refuses unknown keys with a near-miss hint, merges definitions with
their parents, generates the JSON Schema.
May import `spec`, `_internal`, `errors`.
"""
