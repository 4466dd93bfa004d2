"""The verdict and a load test as tables for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from evalkit.decision.check import Check, CheckOutcome
from evalkit.decision.requirement import Requirement
from evalkit.decision.stability import sentences
from evalkit.decision.verdict import Outcome
from evalkit.record.run_record import RunRecord

MARK = {CheckOutcome.PASSED: "● passed", CheckOutcome.FAILED: "■ failed", CheckOutcome.OPEN: "◇ open"}
COLOUR = {CheckOutcome.PASSED: "green", CheckOutcome.FAILED: "red", CheckOutcome.OPEN: "yellow"}
WORST_FIRST = (CheckOutcome.FAILED, CheckOutcome.OPEN, CheckOutcome.PASSED, CheckOutcome.MERGED)
OUTCOME_COLOUR = {Outcome.GO: "green", Outcome.NO_GO: "red", Outcome.INCONCLUSIVE: "yellow"}
MOST_PASSED = 12
MOST_OTHERS = 50


def print_verdict(record: RunRecord, console: Console) -> None:
    """The word, the checks that matter, and what to do."""
    verdict = record.verdict
    table = Table(title=None, show_edge=False, pad_edge=False)
    for heading in ("", "claim", "share of margin used"):
        table.add_column(heading, overflow="fold")
    shown = _worth_showing(verdict.checks)
    for check in shown:
        table.add_row(Text(MARK[check.outcome], style=COLOUR[check.outcome]), _claim(check), _use(check))
    console.print(table)
    if len(shown) < len(verdict.checks):
        console.print(f"and {_counted(verdict.checks, shown)} (all of them are in the report)", highlight=False)
    console.print(Text(f"\n{verdict.outcome.value}", style=f"bold {OUTCOME_COLOUR[verdict.outcome]}"), end="")
    why = verdict.deciding.explanation if verdict.deciding else "nothing was required"
    console.print(f": {why}", highlight=False, markup=False)
    console.print(verdict.recommendation.text, highlight=False, markup=False)
    if verdict.stability is not None:
        for said in sentences(verdict.stability):
            console.print(Text(said, style="dim"))


def _worth_showing(checks: Iterable[Check]) -> list[Check]:
    """The checks that failed and the open ones, the farthest out first, and the tightest of those that passed."""
    ordered = sorted(checks, key=lambda check: check.tested_use_of_margin, reverse=True)
    failed, still_open, passed, _ = ([check for check in ordered if check.outcome is each] for each in WORST_FIRST)
    return (failed + still_open)[:MOST_OTHERS] + passed[:MOST_PASSED]


def _counted(checks: Sequence[Check], shown: Sequence[Check]) -> str:
    """How many checks of each outcome are not ``shown``: 3 more failed, 7 more passed."""
    all_of, shown_of = (Counter(check.outcome for check in each) for each in (checks, shown))
    return ", ".join(
        f"{all_of[each] - shown_of[each]:,} more {each.value}" for each in WORST_FIRST if all_of[each] > shown_of[each]
    )


def _claim(check: Check) -> Text:
    further = f" (about {check.further_needed:,} more {check.counted_in})" if check.further_needed else ""
    return Text(f"{check.explanation}{further}{_role(check.requirement)}")


def _role(claim: Requirement) -> str:
    """What a claim is to the verdict, where it is not required."""
    if claim.merged_into is not None:
        return f" [merged into {claim.merged_into}]"
    return "" if claim.required else " [watched]"


def _use(check: Check) -> str:
    use = check.use_of_margin
    return "not measured" if use is None else f"{use.point:.0%} ({use.lower:.0%} to {use.upper:.0%})"


def print_figures(title: str, rows: Iterable[tuple[str, str]], console: Console) -> None:
    """Names and values."""
    table = Table(title=title, show_header=False, show_edge=False, title_justify="left")
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)
