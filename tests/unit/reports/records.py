"""Run records of every outcome, decided by the real decision code on real counts."""

from __future__ import annotations

from evalkit.record.run_record import RunRecord
from evalkit.stats.interval import NotEstimable
from tests.unit.reports import found
from tests.unit.reports.assembled import groups_of, record_of
from tests.unit.reports.counted import cell, crossed, together, whole_of
from tests.unit.reports.hostile import HOSTILE, LONG_WORD
from tests.unit.reports.scored import unscored
from tests.unit.reports.specs import recorded_spec_of, spec_of
from tests.unit.reports.surroundings import example

VOID_REASON = "The generator used 0.981 of a core; at most 0.95 is allowed."


def go() -> RunRecord:
    """Everything required is shown."""
    cells = crossed(900)
    return record_of(spec_of(), cells, whole_of(cells))


def no_go() -> RunRecord:
    """The aggregate passes and one channel does not."""
    cells = crossed(900, degraded="tweet")
    lost = tuple(example(number, "channel=tweet, length=long") for number in range(8))
    bar = {"quality": {"overall_margin": 0.06, "retention": 0.93}, "latency": {"p50_ms": 10, "p99_ms": 3.5}}
    return record_of(spec_of(requirements=bar), cells, whole_of(cells), examples=lost)


def inconclusive() -> RunRecord:
    """Recorded predictions of few rows: no probabilities, no load, no training table, a tiny group."""
    cells = {**crossed(70), "channel=fax": cell(12, lost=0.0, won=0.0)}
    spec = recorded_spec_of(
        requirements={"quality": {"overall_margin": 0.02, "subpopulation_margin": 0.05, "retention": 0.98}}
    )
    return record_of(
        spec,
        cells,
        together([whole_of(crossed(70)), cells["channel=fax"]]),
        kl=NotEstimable(reason="no probabilities of the teacher and student are recorded", n=0),
        auc=NotEstimable(reason="120 texts on the smaller side; 200 are needed", n=120, n_needed=200),
    )


def void() -> RunRecord:
    """Quality passes; both load measurements are void."""
    cells = crossed(900)
    return record_of(spec_of(), cells, whole_of(cells), void=dict.fromkeys(("student", "teacher"), (VOID_REASON,)))


def hostile() -> RunRecord:
    """Whoever wrote the texts, the groups, the labels and the sources means ill."""
    cells = {
        f"channel={HOSTILE}": cell(400, lost=0.2),
        f"channel={LONG_WORD}": cell(400, lost=0.01),
        "channel=**bold** [x](http://192.0.2.1) `code`": cell(400, lost=0.08),
    }
    metric = f"f1:{' '.join(HOSTILE.split())}"
    spec = spec_of(
        task={"name": "hostile", "description": HOSTILE, "labels": ["<b>", "|"]},
        cost={
            "teacher": {"usd_per_hour": 0.5, "source": HOSTILE, "date": "2025-02-01"},
            "student": {"usd_per_hour": 0.5, "source": LONG_WORD, "date": "2025-02-01"},
        },
        requirements={"quality": {"metrics": [{"metric": metric, "margin": 0.02}]}},
        discovery={},
    )
    lost = (example(1, f"channel={HOSTILE}", HOSTILE), example(2, f"channel={HOSTILE}", LONG_WORD))
    return record_of(
        spec,
        cells,
        together(cells.values()),
        metrics=unscored(metric, f"its function failed: {HOSTILE} {LONG_WORD}"),
        examples=lost,
        discovery=found.hostile(),
    )


def many_groups(number: int = 1000) -> RunRecord:
    """As many groups as a spec may have."""
    cells = {f"customer=number-{each:04d}": cell(60, lost=0.5 if each % 4 == 0 else 0.0) for each in range(number)}
    return record_of(spec_of(), cells, together(cells.values()))


def nothing_required() -> RunRecord:
    """The spec watches and asks for nothing."""
    cells = crossed(900)
    nothing = {"overall_margin": None, "subpopulation_margin": None, "retention": None}
    spec = spec_of(
        subpopulations={"by": [{"columns": "channel", "required": False}]},
        requirements={"quality": nothing, "cost_reduction": None},
    )
    return record_of(spec, cells, whole_of(cells), groups=groups_of(spec, cells, required=False))
