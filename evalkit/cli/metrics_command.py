"""`evalkit metrics`: what can be asked of a student beside accuracy."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.cli.boundary import boundary

if TYPE_CHECKING:
    from rich.table import Table

    from evalkit.quality.metrics.metric import Described


class TaskKind(StrEnum):
    """The kinds of task.kind, and all of them."""

    ALL = "all"
    CLASSIFICATION = "classification"
    MULTILABEL = "multilabel"
    RANKING = "ranking"
    GENERATION = "generation"


def metrics(
    kind: Annotated[TaskKind, typer.Argument(help="The kind of task; all of them when not given.")] = TaskKind.ALL,
) -> None:
    """List the metrics that requirements.quality.metrics can name, by kind of task.

    Example: [bold]evalkit metrics classification[/]
    """
    with boundary():
        from rich.console import Console

        from evalkit.quality.metrics.catalogue import defaults

        console = Console()
        for each in TaskKind:
            if each is not TaskKind.ALL and kind in (each, TaskKind.ALL):
                console.print(_table(each))
                console.print(f"always measured over all rows: {', '.join(defaults(each))}\n", highlight=False)
        console.print(
            "accuracy is asked by requirements.quality.overall_margin and subpopulation_margin", highlight=False
        )
        console.print(
            "or your own as package.module:function, called as function(truth, predicted, probabilities) -> number",
            highlight=False,
        )


def _table(kind: TaskKind) -> Table:
    from rich.table import Table
    from rich.text import Text

    from evalkit.quality.metrics.catalogue import described

    table = Table(title=kind.value, title_justify="left", show_edge=False, pad_edge=False)
    for heading in ("metric", "better", "unit", "meaning"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "metric")
    for each in described(kind):
        cells = (each.name, "higher" if each.higher_is_better else "lower", each.unit, _meaning(each))
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _meaning(metric: Described) -> str:
    needs = []
    if metric.needs_probabilities:
        needs.append("probabilities")
    if metric.package is not None:
        needs.append("evalkit-gate[generation]")
    return f"{metric.meaning} (needs {' and '.join(needs)})" if needs else metric.meaning
