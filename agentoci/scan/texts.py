"""What hides in a text that a model reads, or speaks to the model behind the reader's back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agentoci.scan.hidden import hidden
from agentoci.scan.injection import injections
from agentoci.scan.runs import Span
from agentoci.scan.secrets import Spot


def spots(window: bytes, keys: Sequence[Span], *, starts_file: bool) -> Iterator[Spot]:
    """Hidden characters and injected prompts of a window of UTF-8 text with these runs."""
    yield from hidden(window, starts_file=starts_file)
    yield from injections(window, keys)
