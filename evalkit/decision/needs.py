"""What the open claims need, gathered by subpopulation and unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.decision.check import Check
from evalkit.decision.requirement import QUERIES, ROWS
from evalkit.decision.wording import name_of
from evalkit.quality.discovery.discovered import FOUND
from evalkit.quality.reweighted import WEIGHTED
from evalkit.stats.measurement import ALL_ROWS

MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """About ``units`` more of ``counted_in`` in ``subpopulation`` decide every claim about it that can be decided."""

    units: int
    counted_in: str
    subpopulation: str

    @property
    def place(self) -> str:
        """Where to gather them; nothing where any will do."""
        if self.subpopulation == ALL_ROWS or self.counted_in not in (ROWS, QUERIES):
            return ""
        if self.subpopulation.startswith(WEIGHTED):
            return f" across the groups of {self.subpopulation.removeprefix(WEIGHTED)}"
        return f" in {self.subpopulation.removeprefix(FOUND)}"


def needs_of(checks: Sequence[Check]) -> tuple[Need, ...]:
    """One line for each subpopulation and unit that ``checks`` are short of, in their order: the most that any claim
    about it needs, since the same rows serve all of them."""
    most: dict[tuple[str, str], int] = {}
    for check in checks:
        if check.further_needed is not None:
            key = (check.requirement.subpopulation, check.counted_in)
            most[key] = max(most.get(key, 0), check.further_needed)
    return tuple(
        Need(units=units, counted_in=counted_in, subpopulation=where) for (where, counted_in), units in most.items()
    )


def needs_text(needs: Sequence[Need]) -> str:
    """What is needed, unit by unit, the largest first.

    >>> needs_text([Need(units=2400, counted_in="rows", subpopulation="language=fr")])
    'about 2,400 rows in language=fr'
    """
    units = dict.fromkeys(need.counted_in for need in needs)
    return " and ".join(_of_one_unit([need for need in needs if need.counted_in == unit]) for unit in units)


def _of_one_unit(needs: Sequence[Need]) -> str:
    ordered = sorted(needs, key=lambda need: -need.units)
    said = [f"about {ordered[0].units:,} {ordered[0].counted_in}{ordered[0].place}"]
    said += [f"{need.units:,}{need.place or ' of any kind'}" for need in ordered[1:MOST_NAMED]]
    left = len(ordered) - MOST_NAMED
    if left > 0:
        said.append(f"at most {ordered[MOST_NAMED].units:,} in each of {left} more subpopulations")
    return ", ".join(said)


def names_text(checks: Sequence[Check]) -> str:
    """The claims by name, the first five and how many more there are."""
    names = [name_of(check.requirement) for check in checks[:MOST_NAMED]]
    left = len(checks) - MOST_NAMED
    return ", ".join(names) + (f" and {left} more claims" if left > 0 else "")
