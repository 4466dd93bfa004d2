"""Questions as small as can be: rows in named groups, margins, and answers where there are any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalkit.data.subpopulations import Group
from evalkit.decision.requirement import Direction, Requirement
from evalkit.planning.assumptions import Assumptions
from evalkit.planning.question import Question
from evalkit.planning.rates import NOTHING, Observed
from evalkit.quality.paired_gap import GAP, RETENTION
from evalkit.stats.measurement import ALL_ROWS


def gap_claim(where: str, margin: float, *, required: bool = True) -> Requirement:
    return Requirement(
        measurement=GAP, subpopulation=where, bound=-margin, direction=Direction.ABOVE, required=required
    )


def retention_claim(bar: float) -> Requirement:
    return Requirement(measurement=RETENTION, subpopulation=ALL_ROWS, bound=bar, direction=Direction.ABOVE)


def observed(teacher: Sequence[bool] | NDArray[np.bool_], student: Sequence[bool] | NDArray[np.bool_]) -> Observed:
    return Observed(source="a test", teacher=np.asarray(teacher, bool), student=np.asarray(student, bool))


def ask(
    rows: int,
    groups: Mapping[str, tuple[Sequence[int] | NDArray[np.int64], float]] | None = None,
    *,
    overall: float | None = None,
    claims: Sequence[Requirement] = (),
    seen: Observed = NOTHING,
    **rest: Any,
) -> Question:
    """Rows, {group: (row numbers, margin)}: the gap is claimed in each group, and overall where that has a margin."""
    stated = dict(groups or {})
    rest.setdefault("clusters", None)
    rest.setdefault("confidence", 0.95)
    rest.setdefault("assumptions", Assumptions())
    return Question(
        claims=(
            *([] if overall is None else [gap_claim(ALL_ROWS, overall)]),
            *(gap_claim(name, margin) for name, (_, margin) in stated.items()),
            *claims,
        ),
        groups=tuple(
            Group(name=name, rows=np.asarray(members, dtype=np.int64), margin=margin, required=True)
            for name, (members, margin) in stated.items()
        ),
        rows=rows,
        observed=seen,
        **rest,
    )
