"""Files, locks, processes, clock and limits: what every layer above needs from the machine.

May import `errors` only.
"""
