"""Time and memory of the main job, beside the tools that people use for it today.

`python -m bench` makes a payload from a seed, starts distribution v3 on loopback, and runs every
command several times in rotating order, each in fresh folders. agentoci imports nothing from here.
"""
