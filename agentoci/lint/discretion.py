"""What lint says goes to terminals, logs and code hosts: no secret is in it, whatever it tells."""

from __future__ import annotations

from dataclasses import replace

from agentoci.errors import Fault
from agentoci.scan.content import without_secrets


def discreet(fault: Fault) -> Fault:
    """The fault without secrets; a source line that holds one is not shown."""
    text = "" if without_secrets(fault.text) != fault.text else fault.text
    hint = without_secrets(fault.hint) if fault.hint else fault.hint
    return replace(fault, message=without_secrets(fault.message), text=text, hint=hint)
