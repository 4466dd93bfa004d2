"""The rows that a finding points at stand beside its evidence."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from evalkit.diagnosis.finding import FailureMode, Finding
from evalkit.stats.interval import NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement
from reports.diagnosis import findings

FOUND = Finding(
    failure_mode=FailureMode.COVERAGE,
    measurement=Measurement(
        name="x", subpopulation=ALL_ROWS, unit="share", value=NotEstimable(reason="none", n=0), evidence="x.json"
    ),
    fired=True,
    explanation="it lost new texts",
    corrective_practice="label more text",
)


@dataclass
class Recorded:
    findings: tuple[Finding, ...]


@pytest.mark.parametrize(
    ("examples", "said"),
    [((), "It lost new texts."), (("row 3", "row 9"), "It lost new texts. To look at: row 3; row 9.")],
)
def test_a_finding_names_its_rows_where_it_has_any(examples: tuple[str, ...], said: str) -> None:
    (view,) = findings(Recorded((replace(FOUND, examples=examples),)))  # type: ignore[arg-type]
    assert view.explanation == said
