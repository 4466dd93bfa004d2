"""`evalkit plan`: what the held-out rows can answer, before anything is measured."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.cli.boundary import boundary

if TYPE_CHECKING:
    from evalkit.planning.break_even import BreakEven
    from evalkit.planning.claim_plan import ClaimPlan
    from evalkit.planning.left_out import LeftOut
    from evalkit.planning.plan import Assumed, Plan
    from evalkit.planning.plan import TeacherAccuracy as Known

UNANSWERABLE = 3
MOST_CLAIMS = 40
MOST_NAMED = 5

Spec = Annotated[Path, typer.Argument(help="The question: gate.yaml.")]
Difference = Annotated[
    float, typer.Option("--difference", help="True student − teacher accuracy to assume: −0.01 is a point worse.")
]
Discordance = Annotated[
    float,
    typer.Option("--discordance", help="Share of rows on which exactly one model is right, where none is observed."),
]
TeacherAccuracy = Annotated[
    float | None,
    typer.Option("--teacher-accuracy", help="The teacher's accuracy, where it has not answered yet; 0.9 if not given."),
]


def plan(
    spec: Spec,
    difference: Difference = 0.0,
    discordance: Discordance = 0.1,
    teacher_accuracy: TeacherAccuracy = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The plan's file; plan-TASK-DIGEST.json beside the runs by default."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on standard output.")] = False,
) -> None:
    """Say what the held-out rows can show, and how many more are needed, before anything is trained or measured.

    Opens no model. Uses recorded answers and earlier runs on the same held-out rows where there are any.

    Exit code: 0 every required claim has 80 % power, 2 usage or spec error, 3 the held-out set cannot answer.

    Example: [bold]evalkit plan gate.yaml --discordance 0.08[/]
    """
    with boundary():
        from evalkit.errors import RunFolderError
        from evalkit.planning.assumptions import assume
        from evalkit.record.layout import write_json
        from evalkit.spec.loading import load_spec
        from evalkit.workflow.planning import document, make_plan, plan_path

        loaded = load_spec(spec)
        bar = loaded.spec.requirements.quality.teacher_accuracy
        made = make_plan(loaded, assume(difference, discordance, teacher_accuracy, bar))
        path, content = output or plan_path(loaded), document(loaded, made)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, content)
        except OSError as error:
            raise RunFolderError(
                f"the plan cannot be written to {path} ({error.strerror or error}); give another --output"
            ) from error
        if as_json:
            print(json.dumps(content, indent=2, ensure_ascii=False))
        else:
            _print(made)
            print(f"plan: {path}")
        raise typer.Exit(0 if made.answerable else UNANSWERABLE)


def _print(made: Plan) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    table = Table(title=None, show_edge=False, pad_edge=False)
    table.add_column("claim", overflow="fold")
    for heading in ("rows", "floor", "power", "for 80 %", "for 90 %", "discordance"):
        table.add_column(heading, justify="right")
    for claim in _shown(made.claims):
        style = "" if claim.answerable else "yellow" if claim.required else "dim"
        table.add_row(*(Text(cell, style=style) for cell in _cells(claim)))
    console.print(table)
    if len(made.claims) > MOST_CLAIMS:
        console.print(f"and {len(made.claims) - MOST_CLAIMS} claims with more power (all of them are in the plan)")
    for line in _lines(made):
        console.print(line, highlight=False, markup=False)


def _shown(claims: tuple[ClaimPlan, ...]) -> Iterable[ClaimPlan]:
    return claims if len(claims) <= MOST_CLAIMS else sorted(claims, key=lambda claim: claim.power)[:MOST_CLAIMS]


def _cells(claim: ClaimPlan) -> tuple[str, ...]:
    mark = {"assumed": "", "observed": " °"}.get(claim.discordance_from, " *")
    return (
        claim_name(claim.measurement, claim.subpopulation, claim.bound) + ("" if claim.required else " (watched)"),
        f"{claim.n:,}",
        _count(claim.floor),
        f"{claim.power:.0%}",
        _count(claim.rows_80),
        _count(claim.rows_90),
        f"{claim.discordance:.1%}{mark}",
    )


def claim_name(measurement: str, subpopulation: str, bound: float) -> str:
    """A claim in a few words."""
    if measurement == "student_minus_teacher_accuracy":
        return f"gap in {subpopulation}, margin {-100 * bound:g} points"
    what = "retention" if measurement == "student_over_teacher_accuracy" else "teacher accuracy"
    return f"{what} in {subpopulation} above {100 * bound:g} %"


def _count(rows: int | None) -> str:
    return "–" if rows is None else f"{rows:,}"


def _lines(made: Plan) -> Iterable[str]:
    yield ""
    yield from _assumptions(made.assumed)
    if made.all_at_once.product is not None:
        yield (
            f"All {made.all_at_once.claims} required claims together: {made.all_at_once.product:.0%} if they were "
            f"independent, at most {made.all_at_once.minimum:.0%} (the weakest alone); on shared rows it lies between"
        )
    yield from _teacher(made.teacher)
    yield _pays(made.break_even)
    for concern in made.concerns:
        yield f"{concern.weight.value}: {concern.name}: {concern.evidence} (threshold: {concern.threshold})"
    if not any(concern.weight.value == "poor candidate" for concern in made.concerns):
        yield "Nothing found makes this a poor candidate for distillation"
    yield from (f"note: {note}" for note in made.notes)
    yield from _not_planned(made.left_out)
    yield ""
    if made.answerable:
        yield "The held-out set can answer the question: every required claim has at least 80 % power"
    else:
        yield "The held-out set cannot answer the question:"
        yield from (f"  {reason}" for reason in made.cannot)


def _assumptions(assumed: Assumed) -> Iterable[str]:
    yield (
        f"Assumed: true difference {100 * assumed.difference:+.1f} points; discordance {assumed.discordance:.1%} "
        f"({assumed.discordance_from}); teacher accuracy {assumed.teacher_accuracy:.1%} "
        f"({assumed.teacher_accuracy_from})"
    )
    yield f"Evidence: {assumed.evidence}"
    if assumed.discordance_from != "assumed":
        yield "° observed in the group, * observed and shrunk toward all rows, as small groups are"


def _teacher(accuracies: tuple[Known, ...]) -> Iterable[str]:
    from evalkit.stats.interval import Interval

    known = [(each.subpopulation, each.value) for each in accuracies if isinstance(each.value, Interval)]
    if not known:
        return
    lowest = min(known, key=lambda each: each[1].point)
    shown = known[:1] if lowest == known[0] else [known[0], lowest]
    yield (
        "The teacher's own accuracy: "
        + "; ".join(
            f"{100 * value.point:.1f} % ({100 * value.lower:.1f}–{100 * value.upper:.1f}) in {name}"
            for name, value in shown
        )
        + (", the lowest" if len(shown) > 1 else "")
    )


def _pays(payback: BreakEven) -> str:
    if payback.requests is None:
        return f"Break-even: unknown: {payback.reason}"
    months = "" if payback.months is None else f", {payback.months:,.1f} months at {payback.monthly_requests:,} a month"
    return f"Break-even: {payback.requests:,.0f} requests{_between(payback)}{months} ({payback.source})"


def _between(payback: BreakEven) -> str:
    """The interval, where there is one."""
    if payback.earliest is None or payback.earliest == payback.latest:
        return ""
    latest = "no end" if payback.latest is None else f"{payback.latest:,.0f}"
    return f" (from {payback.earliest:,.0f} to {latest})"


def _not_planned(left_out: tuple[LeftOut, ...]) -> Iterable[str]:
    for each in left_out[:MOST_NAMED]:
        yield f"not planned: {each.name} in {each.subpopulation}: {each.reason}"
    if len(left_out) > MOST_NAMED:
        yield f"not planned: {len(left_out) - MOST_NAMED} more (all of them are in the plan)"
