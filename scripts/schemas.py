"""Write the JSON Schemas of our documents into `schemas/`: `python scripts/schemas.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from agentoci.definition.schema import render_schema as render_agentdef
from agentoci.instances.schema import render_schema as render_agentinst
from agentoci.registry.search.document import render_schema as render_search_index
from agentoci.release.schema import render_lock_schema, render_matrix_schema

FOLDER = Path(__file__).resolve().parent.parent / "schemas"

SCHEMAS: Mapping[str, Callable[[], str]] = {
    "agent-lock.schema.json": render_lock_schema,
    "agentdef.schema.json": render_agentdef,
    "agentinst.schema.json": render_agentinst,
    "compatibility.schema.json": render_matrix_schema,
    "search-index.schema.json": render_search_index,
}
"""File name to what renders its text."""


def main() -> None:
    """Write every schema."""
    for name, render in SCHEMAS.items():
        (FOLDER / name).write_text(render(), encoding="utf-8")
        print(f"wrote schemas/{name}")


if __name__ == "__main__":
    main()
