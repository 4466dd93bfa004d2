"""`evalkit selfcheck`: how often the gate itself would be wrong on this spec."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.cli.boundary import boundary
from evalkit.cli.plan_command import Difference, Discordance, Spec, TeacherAccuracy, claim_name

if TYPE_CHECKING:
    from evalkit.planning.selfcheck import SelfCheck, VerdictRates
    from evalkit.stats.interval import Estimate

TOO_OFTEN = 3
MOST_SHOWN = 10
FALSE = " !"
LEAST_PERCENT = 0.001


def selfcheck(
    spec: Spec,
    simulations: Annotated[int, typer.Option("--simulations", min=100, help="Simulated held-out sets a truth.")] = 2000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the simulation.")] = 1,
    difference: Difference = 0.0,
    discordance: Discordance = 0.1,
    teacher_accuracy: TeacherAccuracy = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on standard output.")] = False,
) -> None:
    """Simulate the gate on your own rows, groups and margins: how often is a GO or a NO-GO false, how often silent?

    Three kinds of truth: student and teacher equally good; exactly at one claim's bar; at every bar at once. Claims
    about latency, cost and other metrics are left out and count as shown.

    Exit code: 0 no false verdict is shown to come too often, 2 usage or spec error, 3 one is, 4 the gate itself failed.

    Example: [bold]evalkit selfcheck gate.yaml --simulations 5000[/]
    """
    with boundary():
        from evalkit.planning.assumptions import assume
        from evalkit.spec.loading import load_spec
        from evalkit.workflow.planning import document, make_self_check

        loaded = load_spec(spec)
        bar = loaded.spec.requirements.quality.teacher_accuracy
        assumed = assume(difference, discordance, teacher_accuracy, bar)
        found = make_self_check(loaded, assumed, simulations, seed)
        if as_json:
            print(json.dumps(document(loaded, found), indent=2, ensure_ascii=False))
        else:
            _print(found)
        raise typer.Exit(0 if found.holds else TOO_OFTEN)


def _print(found: SelfCheck) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    table = Table(title=None, show_edge=False, pad_edge=False)
    table.add_column("truth", overflow="fold", min_width=40)
    for heading in ("rows", "GO", "NO-GO", "INCONCLUSIVE", "claim passes"):
        table.add_column(heading, justify="right")
    at_bars = found.at_bars
    for rates in (*(each for each in found.rates if each not in at_bars), *at_bars[:MOST_SHOWN]):
        style = "red" if rates.go_too_often or rates.no_go_too_often else ""
        table.add_row(*(Text(cell, style=style) for cell in _cells(rates)))
    console.print(table)
    if len(at_bars) > MOST_SHOWN:
        console.print(
            f"and {len(at_bars) - MOST_SHOWN} more claims at their bar, with no more false GO (--json has them all)"
        )
    for line in _lines(found):
        console.print(line, highlight=False, markup=False)


def _cells(rates: VerdictRates) -> tuple[str, ...]:
    truth = rates.truth.value
    if rates.measurement is not None and rates.subpopulation is not None and rates.bound is not None:
        truth = f"at its bar: {claim_name(rates.measurement, rates.subpopulation, rates.bound)}"
    return (
        truth,
        f"{rates.n:,}",
        _rate(rates.go) + (FALSE if rates.false_go else ""),
        _rate(rates.no_go) + (FALSE if rates.false_no_go else ""),
        _point(rates.inconclusive),
        "" if rates.own_pass is None else _point(rates.own_pass),
    )


def _point(estimate: Estimate) -> str:
    return _rate(estimate).partition(" (")[0]


def _rate(estimate: Estimate) -> str:
    from evalkit.stats.interval import Interval

    if not isinstance(estimate, Interval):
        return "unknown"
    return f"{100 * estimate.point:.1f} % ({100 * estimate.lower:.1f}–{100 * estimate.upper:.1f})"


def _share(error: float) -> str:
    """An error in percent; what an early planned look leaves of it is tiny, and is not shown as none."""
    return f"{error:.1%}" if error >= LEAST_PERCENT else f"{100 * error:.1g} %"


def _lines(found: SelfCheck) -> Iterable[str]:
    assumed = found.assumed
    yield ""
    yield (
        f"{found.simulations:,} simulated sets of {found.rows:,} rows a truth, {found.claims} required claims, seed "
        f"{found.seed}; ! marks a verdict that is false there, brackets hold the 95 % Monte-Carlo interval"
    )
    yield (
        f"Discordance {assumed.discordance:.1%} ({assumed.discordance_from}), teacher accuracy "
        f"{assumed.teacher_accuracy:.1%} ({assumed.teacher_accuracy_from}); evidence: {assumed.evidence}"
    )
    yield f"{found.cross_checked} simulated tables were decided again by the gate's own code, with the same verdict"
    yield from (f"note: {note}" for note in found.notes)
    left = sorted({each.name for each in found.left_out})
    if left:
        yield f"left out, and taken for shown where required: {', '.join(left)}"
    yield ""
    promise = (
        f"promised at most {_share(found.promised)}, allowed {_share(found.allowed)} for the score test's documented "
        "excess"
    )
    if found.holds:
        yield f"The gate keeps its word here: no false verdict is shown to come more often ({promise})"
    else:
        yield f"A false verdict comes too often ({promise}): see the red lines"
