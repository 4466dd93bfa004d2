"""`evalkit learning-curve`: how many training rows bring the gap to the bar."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.cli.boundary import boundary

if TYPE_CHECKING:
    from evalkit.record.curve_record import CurveRecord


def learning_curve(
    spec: Annotated[Path, typer.Argument(help="The question: gate.yaml, with student.distill.")],
    shares: Annotated[
        str, typer.Option("--shares", help="Parts of the training rows, in percent: three or more.")
    ] = "10,25,50,100",
    seeds: Annotated[
        int, typer.Option("--seeds", help="Trainings a size; from 3 on the intervals also count how they vary.")
    ] = 1,
    measure_on: Annotated[
        Path | None,
        typer.Option(
            "--measure-on",
            help="A labelled table that neither model has learnt from; a fifth of the labelled training rows by "
            "default, which are then not trained on.",
        ),
    ] = None,
    run: Annotated[Path | None, typer.Option("--run", help="The run folder; runs/TASK-DIGEST by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on standard output.")] = False,
) -> None:
    """Say how much training data is needed: students on nested parts of it, and the curve of their gaps.

    The curve is carried on to requirements.quality.overall_margin, with an interval of the rows needed. The held-out
    set is not scored. Killed and started again, it goes on where it stopped.

    Exit code: 0 done, 2 usage or spec error, 4 a training broke, 130 interrupted.

    Example: [bold]evalkit learning-curve gate.yaml --shares 10,20,40,70,100 --seeds 3[/]
    """
    with boundary():
        from evalkit.cli.progress import reporter
        from evalkit.record.layout import RunFolder, write_text
        from evalkit.spec.loading import load_spec
        from evalkit.workflow.check import default_run_folder
        from evalkit.workflow.curving import asked_curve
        from evalkit.workflow.curving import learning_curve as drawn
        from reports.learning_curve import render_curve_html, render_curve_svg

        asked = asked_curve(_percents(shares), seeds, measure_on)
        loaded = load_spec(spec)
        root = run or default_run_folder(loaded)
        record = drawn(loaded, root, reporter(), asked)
        folder = RunFolder(root)
        write_text(folder.curve_svg, render_curve_svg(record))
        write_text(folder.curve_html, render_curve_html(record))
        if as_json:
            print(folder.curve.read_text(encoding="utf-8"), end="")
        else:
            _print(record)
            print(f"curve: {folder.curve_html}, {folder.curve_svg}, {folder.curve}")


def _percents(text: str) -> list[float]:
    from evalkit.errors import SpecError

    try:
        return [float(each) for each in text.split(",")]
    except ValueError as error:
        raise SpecError(f"--shares is {text!r}; give percentages with commas between, e.g. 10,25,50,100") from error


def _print(record: CurveRecord) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from reports.curve_words import answer_text, caveats, size_lines

    console = Console()
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("share", "training rows", "student − teacher accuracy, points"):
        table.add_column(heading, justify="right")
    for line in size_lines(record):
        table.add_row(*line)
    console.print(table)
    console.print(Text(f"\n{answer_text(record)}", style="bold"))
    for said in caveats(record):
        console.print(Text(f"· {said}"))
