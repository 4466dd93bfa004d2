"""Run records with a search, with earlier looks, of one model against itself, and with everything at once."""

from __future__ import annotations

import dataclasses

from evalkit.data.merging import merge_small
from evalkit.data.subpopulations import infeasible
from evalkit.record.run_record import RunRecord
from tests.unit.reports import found, looked
from tests.unit.reports.assembled import groups_of, record_of
from tests.unit.reports.counted import cell, crossed, whole_of
from tests.unit.reports.group_records import SHARES, with_columns
from tests.unit.reports.scored import OWN, scored
from tests.unit.reports.specs import recorded_spec_of, spec_of


def one_model() -> RunRecord:
    """Both sides give the same answers: nothing shows that two models were compared."""
    cells = {name: cell(counts.n, lost=0.0, won=0.0) for name, counts in crossed(900).items()}
    return record_of(recorded_spec_of(), cells, whole_of(cells), kl=found.NO_PROBABILITIES)


def discovered() -> RunRecord:
    """A search that confirmed two subpopulations of three, and found a declared one again."""
    cells = crossed(900)
    return record_of(spec_of(discovery={}), cells, whole_of(cells), discovery=found.confirmed())


def looked_too_often() -> RunRecord:
    """Every planned look is used."""
    cells = crossed(900)
    spec = spec_of(
        requirements={"quality": {}, "latency": {"p50_ms": 10, "p99_ms": 40}, "looks": {"planned": 2}},
    )
    return record_of(spec, cells, whole_of(cells), looks=looked.used_up())


def second_look() -> RunRecord:
    """The second of three planned looks, decided at its share of the error."""
    cells = crossed(900)
    spec = spec_of(
        requirements={"quality": {}, "latency": {"p50_ms": 10, "p99_ms": 40}, "looks": {"planned": 3}},
    )
    return record_of(spec, cells, whole_of(cells), looks=looked.second_of_three())


def rich() -> RunRecord:
    """Everything at once that one record can hold."""
    cells = crossed(900, degraded="tweet")
    cells = {**cells, "channel=fax": cell(12, lost=0.0, won=0.0)}
    asked = [
        {"metric": "macro_f1", "margin": 0.03, "subpopulations": True},
        {"metric": "log_loss", "margin": 0.05},
        {"metric": OWN, "margin": 1.5, "required": False},
    ]
    spec = spec_of(
        subpopulations={"by": ["channel", "length", ["channel", "length"]], "small": "merge"},
        requirements={
            "quality": {"overall_margin": 0.06, "retention": 0.93, "teacher_accuracy": 0.9, "metrics": asked},
            "latency": {"p50_ms": 10, "p99_ms": 3.5},
        },
        discovery={},
    )
    bar = spec.requirements
    merge = merge_small(with_columns(groups_of(spec, cells)), bar.quality.overall_margin, bar.confidence)
    groups = tuple(dataclasses.replace(each, weight=SHARES.get(each.name)) for each in merge.groups)
    values = [
        scored("macro_f1", 0.912, 0.871),
        scored("log_loss", 0.231, 0.264),
        scored(OWN, 61.3, 60.9, off=0.4),
        scored("ece", 0.021, 0.034, off=0.004),
        *(scored("macro_f1", 0.9, 0.86, n=each.n, where=each.name) for each in groups),
    ]
    return record_of(
        spec,
        cells,
        whole_of(cells),
        groups=groups,
        too_small=infeasible(with_columns(groups_of(spec, cells)), bar.confidence),
        metrics=tuple(each for three in values for each in three),
        discovery=found.confirmed(),
        looks=looked.unplanned(),
    )
