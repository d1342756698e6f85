"""What is wrong, or likely wrong, with a folder that an agent is built from.

`run.lint` is the way in: `reading` makes a `Subject` of the folder, whose own faults are findings
already; then each module of rules (`spelling`, `agentfile`, `definition`, `knowledge`, `content`)
looks at it. `rules` is the table of all; `fixing` makes the safe edits, `sarif` tells code hosts.

May import `builder` and what lies below. Nothing here opens a connection or writes to the store.
"""
