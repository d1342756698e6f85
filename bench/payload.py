"""The payload: one incompressible file and thousands of markdown files, made from a seed."""

from __future__ import annotations

import itertools
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024

AGENTFILE = """\
FROM scratch
COPY model.bin /agent/files/model.bin
COPY knowledge /agent/knowledge
INTERFACE bench
ENTRYPOINT ["/bin/true"]
"""

_ONSETS = [
    *"bcdfghlmnprstvw",
    "br",
    "ch",
    "cl",
    "cr",
    "dr",
    "fl",
    "gr",
    "pl",
    "sh",
    "st",
    "th",
    "tr",
]
_VOWELS = [*"aeiou", "ai", "ea", "ie", "oo", "ou"]
_CODAS = ["", "", *"bdgklmnprst", "ck", "ll", "nd", "ng", "nt", "rd", "rt", "ss", "st"]


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a payload is; a small one is for trying things out."""

    huge_mib: int = 512
    documents: int = 5000
    words_per_document: int = 1180
    seed: int = 20240115

    @property
    def name(self) -> str:
        """A folder's name that tells payloads apart."""
        return f"payload-2-{self.huge_mib}m-{self.documents}x{self.words_per_document}-{self.seed}"


def prepare(cache: Path, shape: Shape) -> Path:
    """The build context of this shape, made once and kept; nobody changes it."""
    context = cache / shape.name
    if context.is_dir():
        return context
    making = cache / f"{shape.name}.making"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    (making / "Agentfile").write_text(AGENTFILE)
    _write_noise(making / "model.bin", shape)
    _write_documents(making / "knowledge", shape)
    making.rename(context)
    return context


def _write_noise(path: Path, shape: Shape) -> None:
    source = random.Random(shape.seed)
    with path.open("wb") as stream:
        for _ in range(shape.huge_mib):
            stream.write(source.randbytes(MIB))


def _write_documents(folder: Path, shape: Shape) -> None:
    source = random.Random(shape.seed + 1)
    words = _vocabulary(source, 20_000)
    weights = list(itertools.accumulate(1 / (rank + 2.7) for rank in range(len(words))))
    for number in range(shape.documents):
        place = folder / f"area-{number % 20:02}" / f"topic-{number // 20 % 25:02}"
        place.mkdir(parents=True, exist_ok=True)
        length = max(100, int(source.lognormvariate(0, 0.6) * shape.words_per_document / 1.2))
        text = _document(source.choices(words, cum_weights=weights, k=length), source)
        (place / f"note-{number:04}.md").write_text(text)


def _vocabulary(source: random.Random, size: int) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < size:
        syllables = 1 + min(3, int(source.expovariate(1.2)) + len(found) // 4000)
        word = "".join(
            source.choice(_ONSETS) + source.choice(_VOWELS) + source.choice(_CODAS)
            for _ in range(syllables)
        )
        found[word] = None
    return list(found)


def _document(words: list[str], source: random.Random) -> str:
    """Headings, paragraphs and lists of these words."""
    lines = [f"# {' '.join(words[:4]).title()}", ""]
    rest = iter(words[4:])
    while paragraph := list(itertools.islice(rest, source.randint(30, 90))):
        kind = source.random()
        if kind < 0.15:
            lines.append(f"## {' '.join(paragraph[:3]).title()}")
        if kind < 0.35:
            lines += [f"- {' '.join(paragraph[at : at + 8])}" for at in range(0, len(paragraph), 8)]
        else:
            lines += _sentences(paragraph, source)
        lines.append("")
    return "\n".join(lines)


def _sentences(words: list[str], source: random.Random) -> list[str]:
    rest = iter(words)
    found = []
    while sentence := list(itertools.islice(rest, source.randint(6, 18))):
        found.append(" ".join(sentence).capitalize() + ".")
    return found
