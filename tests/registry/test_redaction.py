"""Texts of servers without our secrets in them."""

from __future__ import annotations

import pytest

from agentoci.registry.http.redaction import redacted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("denied for https://u:pw@h/x", "denied for https://h/x"),
        ("see https://s3/b?X-Amz-Signature=abc&x=1 there", "see https://s3/b?… there"),
        ("upload ?_state=abc%3D&digest=x", "upload ?_state=…&digest=x"),
        ("got 'Authorization: Bearer eyJhbGciOi.abc.def'", "got 'Authorization: Bearer …'"),
        ("Basic YWRhOmNvcnJlY3QgaG9yc2U=", "Basic …"),
        ("basic authentication is off; token needed", "basic authentication is off; token needed"),
        ("manifest unknown", "manifest unknown"),
    ],
)  # fmt: skip
def test_secrets_are_cut_out(text: str, shown: str) -> None:
    assert redacted(text) == shown
