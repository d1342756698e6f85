"""The table `[search]` of the config file."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentoci.config.search import SearchSettings
from agentoci.config.settings import InvalidSettings, Settings, read_settings


def read(folder: Path, text: str) -> Settings:
    path = folder / "config.toml"
    path.write_text(text)
    return read_settings({"HOME": str(folder), "AGENTOCI_CONFIG": str(path)})


def test_without_a_table_nothing_is_configured(tmp_path: Path):
    assert read(tmp_path, "").file.search == SearchSettings((), 10.0)


def test_sources_and_timeout(tmp_path: Path):
    text = '[search]\nsources = ["hub://", "catalog://localhost:5000"]\ntimeout = 2.5\n'
    assert read(tmp_path, text).file.search == SearchSettings(
        ("hub://", "catalog://localhost:5000"), 2.5
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("search = 1", "search must be a table"),
        ("[search]\nsource = []", "unknown key 'source' in \\[search\\]"),
        ('[search]\nsources = "hub://"', "search.sources must be a list of strings"),
        ("[search]\nsources = [1]", "search.sources must be a list of strings"),
        ("[search]\ntimeout = 0", "search.timeout must be a number of seconds"),
        ("[search]\ntimeout = true", "search.timeout"),
        ("[search]\ntimeout = 601", "search.timeout"),
        ('[search]\ntimeout = "1"', "search.timeout"),
        ("[search]\ntimeout = nan", "search.timeout"),
    ],
)
def test_what_the_table_may_not_say(tmp_path: Path, text: str, words: str):
    with pytest.raises(InvalidSettings, match=words):
        read(tmp_path, text)
