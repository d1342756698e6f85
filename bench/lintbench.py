"""How long `agent lint` takes over thousands of knowledge files: `python -m bench.lintbench`."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from bench.payload import Shape, prepare

ROUNDS = 5
AGENTFILE = """\
FROM scratch
COPY knowledge /agent/knowledge
INTERFACE interface.md
LABEL org.opencontainers.image.version=1.0.0
"""
INTERFACE = "# Bench\n\n## Input\n\nNothing.\n\n## Output\n\nNothing.\n"


def prepare_context(cache: Path, shape: Shape) -> Path:
    """The knowledge of the build's payload, with an Agentfile that has no finding of its own."""
    context = prepare(cache, replace(shape, huge_mib=1))
    linted = context.parent / f"{context.name}-lint"
    if not linted.is_dir():
        linted.mkdir()
        shutil.copytree(context / "knowledge", linted / "knowledge")
    (linted / "Agentfile").write_text(AGENTFILE, encoding="utf-8")
    (linted / "interface.md").write_text(INTERFACE, encoding="utf-8")
    return linted


def lint_once(context: Path, home: Path) -> float:
    """Seconds of one `agent lint` as a process of its own, start-up included."""
    environment = {**os.environ, "AGENTOCI_HOME": str(home)}
    command = [sys.executable, "-m", "agentoci", "lint", "--strict", str(context)]
    began = time.perf_counter()
    subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Print the median of some rounds."""
    cache = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.gettempdir()) / "agentoci-bench"
    cache.mkdir(parents=True, exist_ok=True)
    context = prepare_context(cache, Shape())
    with tempfile.TemporaryDirectory() as home:
        took = [lint_once(context, Path(home)) for _ in range(ROUNDS)]
    files = [path for path in (context / "knowledge").resolve().rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1e6
    print(f"agent lint, {len(files)} files, {size:.1f} MB: median {statistics.median(took):.2f} s")
    print("rounds: " + " ".join(f"{each:.2f}" for each in took))


if __name__ == "__main__":
    main()
