"""`evalkit override`: a person's answer beside the gate's."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from evalkit.cli.boundary import boundary, fail


class OverriddenTo(StrEnum):
    """The outcomes of a verdict, named here because the types that decide load slowly."""

    GO = "GO"
    NO_GO = "NO-GO"
    INCONCLUSIVE = "INCONCLUSIVE"


def override(
    run: Annotated[Path, typer.Argument(help="The folder of a finished run.")],
    outcome: Annotated[
        OverriddenTo,
        typer.Option("--outcome", help="What holds instead.", metavar="GO|NO-GO|INCONCLUSIVE", case_sensitive=False),
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is shown beside the verdict.")],
    by: Annotated[str, typer.Option("--by", help="Who answers for it.")],
) -> None:
    """Record a person's decision beside the gate's. The first verdict is never changed, and both are shown.

    A run that comes to another verdict leaves its overrides behind: they are then stale.

    Exit code: 0 recorded, 2 the run is unfinished, has this outcome already, or no reason or name is given.

    Example: [bold]evalkit override runs/NAME --outcome GO --reason "pilot, 1 % of traffic" --by "Ada, release lead"[/]
    """
    with boundary():
        from evalkit.cli.writing import write_reports
        from evalkit.decision.verdict import Outcome
        from evalkit.record.layout import RunFolder
        from evalkit.record.override import override_path, write_override
        from evalkit.record.run_record import read_record

        try:
            written = write_override(run, Outcome(outcome.value), reason, by)
        except ValueError as error:
            fail(str(error), 2)
        write_reports(read_record(run), RunFolder(run))
        stated = written.statement
        print(f"{stated.outcome} by {stated.by}, in place of {stated.of_outcome}: {stated.reason}")
        print(f"recorded in {override_path(run, written.number)}; the first verdict stays as it is")
