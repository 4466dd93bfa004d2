"""`evalkit policy`: the presets as the YAML that they are."""

from __future__ import annotations

from typing import Annotated

import typer

from evalkit.cli.boundary import boundary


def policy(
    name: Annotated[str | None, typer.Argument(help="A preset; without one, all are listed.")] = None,
) -> None:
    """Print a policy preset as YAML, to read or to edit: gate.yaml takes its name or a file of your own.

    Example: [bold]evalkit policy strict > policy.yaml[/], then [bold]policy: policy.yaml[/] in gate.yaml
    """
    with boundary():
        from evalkit.spec.policy import PRESETS, preset_text

        if name is not None:
            print(preset_text(name), end="")
            return
        for preset in PRESETS:
            print(preset_text(preset).splitlines()[0].removeprefix("# "))
