"""agent completion."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from agentoci.cli import output


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion_command(ctx: click.Context, shell: str) -> None:
    """Print the shell completion script.

    \b
    Examples:
      eval "$(agent completion bash)"
      agent completion fish > ~/.config/fish/completions/agent.fish
    """
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"no completion for {shell}")
    root = ctx.find_root().command
    output.script(found(root, {}, "agent", "_AGENT_COMPLETE").source())
