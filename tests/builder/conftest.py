"""What tests of the builder get."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builder.workshop import Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """An empty context and an empty home."""
    return Workshop(tmp_path / "shop")
