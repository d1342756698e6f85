"""Registries with what stands before names: read, printed, refused."""

from __future__ import annotations

import pytest

from agentoci.spec.reference import InvalidReference
from agentoci.spec.registrypath import RegistryPath


@pytest.mark.parametrize(
    "text", ["localhost:5000", "host.example", "host.example/team/agents", "[::1]:5000/a"]
)
def test_registries_are_hosts_with_what_stands_before_names(text: str) -> None:
    for written in (text, f"{text}/"):
        found = RegistryPath.parse(written)
        assert str(found) == text
        assert found.repository("x").name == f"{text}/x"


@pytest.mark.parametrize(
    "text",
    ["", "/", "team", "host.example/Team", "https://host.example", "host.example/a:1", "h.e/a@b"],
)
def test_what_is_no_registry(text: str) -> None:
    with pytest.raises(InvalidReference, match="is no registry") as caught:
        RegistryPath.parse(text)
    assert caught.value.exit_code == 2
    assert caught.value.hint == "write HOST, HOST:PORT or HOST/PREFIX"


def test_names_that_no_repository_has_are_refused() -> None:
    with pytest.raises(InvalidReference):
        RegistryPath.parse("host.example").repository("No Name")
