"""A small agent: it says who it is, what it knows and requires, and remembers how often it ran."""

import json
import os
import sys
from pathlib import Path

home = Path(os.environ["AGENT_HOME"])
memory = Path(os.environ["AGENT_MEMORY"])

definition = json.loads((home / "definition.json").read_text(encoding="utf-8"))
metadata = definition["metadata"]
knowledge = sorted((home / "knowledge").rglob("*.md"))
tools = definition["spec"].get("requires", {}).get("tools", [])

runs_file = memory / "runs.txt"
runs = int(runs_file.read_text(encoding="ascii")) + 1 if runs_file.exists() else 1
runs_file.write_text(f"{runs}\n", encoding="ascii")

print(f"I am {metadata['name']} {metadata['version']}, instance {os.environ['AGENT_INSTANCE']}.")
print(f"I know {len(knowledge)} files: {', '.join(path.name for path in knowledge) or 'nothing'}.")
print(f"I require {', '.join(tool['name'] for tool in tools) or 'nothing'}.")
print(f"This is run {runs}." + (f" My task: {' '.join(sys.argv[1:])}" if sys.argv[1:] else ""))
