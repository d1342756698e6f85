"""A search index is an artifact that other tools copy on and read."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from agentoci.registry.search.artifact import FILE_NAME
from agentoci.registry.search.document import SearchIndex
from tests.interop.conftest import Pushed, RunPeer, peer_called
from tests.interop.content import manifest_at
from tests.peers import Oras, Peer

pytestmark = [pytest.mark.integration, pytest.mark.interop]


def listed(pushed: Pushed, repository: str) -> str:
    """A new index that lists the pushed image, in the same profile; returns its reference."""
    where = f"{pushed.reference.partition('/')[0]}/{repository}:list"
    pushed.built.agent("index", "add", where, pushed.reference, "--profile", pushed.profile)
    return where


def test_what_a_peer_copies_on_is_an_index(
    pushed: Pushed, peer: Peer, run_peer: RunPeer, repository: str
):
    where = listed(pushed, repository)
    copied = f"{where.removesuffix(':list')}/copied:1"
    run_peer(peer.copy(where, copied))
    assert manifest_at(copied) == manifest_at(where)
    ls = pushed.built.agent("index", "ls", copied)
    assert pushed.reference.rpartition(":")[0] in ls


def test_oras_pulls_the_document(
    pushed: Pushed, run_peer: RunPeer, repository: str, tmp_path: Path
):
    if pushed.profile == "image":
        pytest.skip("in the image profile the document is in a layer")
    where = listed(pushed, repository)
    oras = cast("Oras", peer_called("oras"))
    run_peer(oras.pull_files(where, tmp_path / "files"))
    raw = (tmp_path / "files" / FILE_NAME).read_bytes()
    [entry] = SearchIndex.parse(raw, what=where).entries
    assert entry.reference == pushed.reference
    assert entry.digest == pushed.digest
