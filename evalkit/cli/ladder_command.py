"""`evalkit ladder`: the same student in several sizes, and the smallest that will do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.cli.boundary import boundary

if TYPE_CHECKING:
    from evalkit.record.ladder_record import LadderRecord
    from reports.diagnosis import FindingView

KEPT_WHOLE = ("verdict", "parameters")
"""Headings and words that a narrow terminal would otherwise break in the middle."""


def ladder(
    spec: Annotated[Path, typer.Argument(help="The question: gate.yaml, with student.distill.")],
    sizes: Annotated[
        str,
        typer.Option(
            "--sizes",
            help="Separated by commas: tiny, mini, small, medium; layers x width as 2x64; the teacher's layers as "
            "cut:0-2-4; teacher for all of its layers, a control.",
        ),
    ],
    margin: Annotated[
        float | None,
        typer.Option(
            "--margin",
            help="Accuracy that a rung may lose against the best one; requirements.quality.overall_margin by default.",
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option("--run", help="The ladder's folder; runs/TASK-ladder-DIGEST by default. Its rungs lie beside it."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on standard output.")] = False,
) -> None:
    """Train the student in several sizes, run the gate of each, and name the smallest that will do.

    All are trained first; what is about the teacher is done once. Killed and started again, it goes
    on where it stopped. Names the smallest rung that may replace the teacher and the smallest as
    good as the best, each corrected for the number of rungs, and says which rungs another one beats
    in quality, latency and cost.

    Exit code: 0 a rung may replace the teacher, 1 every rung is NO-GO, 2 usage or spec error,
    3 neither, 4 the gate itself failed, 130 interrupted.

    Example: [bold]evalkit ladder gate.yaml --sizes tiny,mini,cut:0-2,cut:0-2-4,teacher[/]
    """
    with boundary():
        from evalkit.cli.progress import reporter
        from evalkit.cli.writing import write_reports
        from evalkit.decision.verdict import EXIT_CODES
        from evalkit.record.ladder_record import LADDER_HTML, LADDER_JSON
        from evalkit.record.layout import write_text
        from evalkit.spec.loading import load_spec
        from evalkit.workflow.laddering import climb, planned_ladder
        from reports.ladder import render_ladder

        asked = planned_ladder(load_spec(spec), sizes, margin, run)
        _say(f"{len(asked.rungs)} specs are recorded beside {asked.run.root} before anything is evaluated")
        record, records = climb(asked, reporter(), _say)
        for rung, each in zip(asked.rungs, records, strict=True):
            write_reports(each, rung.run)
        page = asked.run.root / LADDER_HTML
        write_text(page, render_ladder(record))
        if as_json:
            print((asked.run.root / LADDER_JSON).read_text(encoding="utf-8"), end="")
        else:
            _print(record)
            print(f"ladder: {page}")
        raise typer.Exit(EXIT_CODES[record.outcome])


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print(record: LadderRecord) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from reports.ladder import QUALITY, SERVING, ladder_view
    from reports.states import FIRED

    view, console = ladder_view(record), Console()
    quality, serving = (Table(show_edge=False, pad_edge=False) for _ in range(2))
    for table, headings in ((quality, QUALITY), (serving, SERVING)):
        for heading in headings:
            table.add_column(heading, overflow="fold", no_wrap=heading in KEPT_WHOLE)
    for rung in view.rungs:
        state = "" if rung.state is None else rung.state.text
        quality.add_row(*(Text(cell) for cell in (state, rung.name, *rung.quality)))
        serving.add_row(*(Text(cell) for cell in (rung.name, *rung.serving)))
    console.print(quality)
    if view.is_served:
        console.print()
        console.print(serving)
    else:
        console.print("Latency and cost were not measured.", highlight=False)
    fired = [(name, each) for name, each in view.findings if each.state is FIRED]
    lines = [
        *view.missing,
        "",
        *(f"{what}: {who}" for what, who in view.named),
        *(_finding(name, each) for name, each in fired or view.findings[:1]),
        "",
        *view.methods,
    ]
    for line in lines:
        console.print(line, highlight=False, markup=False)


def _finding(name: str, found: FindingView) -> str:
    return f"{name}: {found.state.word}: {found.failure_mode}. {found.explanation} What to do: {found.practice}"
