"""Settings: the one place that reads the environment and the config file.

May import `spec`, `_internal`, `errors`.
"""
