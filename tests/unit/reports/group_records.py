"""Run records with every way in which groups and the whole can be judged."""

from __future__ import annotations

import dataclasses

from evalkit.data.merging import merge_small
from evalkit.data.subpopulations import Group, infeasible
from evalkit.record.run_record import RunRecord
from evalkit.stats.paired_counts import PairedCounts
from tests.unit.reports import found
from tests.unit.reports.assembled import groups_of, record_of
from tests.unit.reports.counted import CHANNELS, cell, crossed, together, whole_of
from tests.unit.reports.scored import OWN, scored
from tests.unit.reports.specs import recorded_spec_of, spec_of

LOST = PairedCounts(both=0, student_only=0, teacher_only=30, neither=0)
SHARES = dict(zip((f"channel={each}" for each in CHANNELS), (0.1, 0.2, 0.3, 0.4), strict=True))


def merged() -> RunRecord:
    """Small groups are judged within their parent: a cross within its channel, a channel within all rows."""
    cells, endless = crossed(400), cell(20, lost=0.1)
    cells = {
        **cells,
        "channel=tweet": together([cells["channel=tweet"], endless]),
        "channel=tweet, length=endless": endless,
        "channel=fax": cell(12, lost=0.0, won=0.0),
    }
    spec = recorded_spec_of(subpopulations={"by": ["channel", ["channel", "length"]], "small": "merge"})
    bar, declared = spec.requirements, with_columns(groups_of(spec, cells))
    found_small = infeasible(declared, bar.confidence)
    merge = merge_small(declared, bar.quality.overall_margin, bar.confidence)
    return record_of(spec, cells, whole_of(cells), groups=merge.groups, too_small=found_small)


def merged_and_broken() -> RunRecord:
    """The student loses every row of a channel too small to pass; all rows, which must pass in its place, do."""
    cells = {**{name: counts for name, counts in crossed(900).items() if name in SHARES}, "channel=fax": LOST}
    spec = recorded_spec_of(subpopulations={"by": ["channel"], "small": "merge"})
    bar, declared = spec.requirements, with_columns(groups_of(spec, cells))
    merge = merge_small(declared, bar.quality.overall_margin, bar.confidence)
    return record_of(spec, cells, whole_of(cells), groups=merge.groups, too_small=infeasible(declared, bar.confidence))


def by_a_metric_only() -> RunRecord:
    """No accuracy is asked of anybody; macro-F1 is, of each channel. What the search confirms is only shown."""
    cells = {name: counts for name, counts in crossed(400).items() if name in SHARES}
    asked = {"metric": "macro_f1", "margin": 0.04, "subpopulations": True}
    spec = recorded_spec_of(
        requirements={
            "quality": {"overall_margin": None, "subpopulation_margin": None, "retention": None, "metrics": [asked]}
        },
        discovery={"required": False},
    )
    values = [scored("macro_f1", 0.91, 0.89, off=0.012)]
    values += [scored("macro_f1", 0.9, 0.87, off=0.02, n=1200, where=name) for name in cells]
    return record_of(
        spec,
        cells,
        whole_of(cells),
        metrics=tuple(each for three in values for each in three),
        discovery=found.confirmed(),
    )


def partly_judged() -> RunRecord:
    """A margin for the channels only, two of which are watched; of the lengths nothing is asked."""
    cells = {name: counts for name, counts in crossed(900).items() if "," not in name}
    watched = {"tweet": {"required": False}, "chat": {"required": False}}
    spec = recorded_spec_of(
        subpopulations={
            "by": [{"columns": "channel", "margin": 0.08, "groups": watched}, {"columns": "length", "required": False}]
        },
        requirements={"quality": {"subpopulation_margin": None}},
    )
    groups = tuple(
        dataclasses.replace(
            each,
            margin=0.08 if each.name in SHARES else None,
            required=each.name in ("channel=email", "channel=review"),
        )
        for each in groups_of(spec, cells)
    )
    return record_of(spec, cells, whole_of(cells), groups=groups)


def weighted() -> RunRecord:
    """Production sends other shares of each channel than the held-out set has; the heaviest one is the worst."""
    cells = {name: counts for name, counts in crossed(900, degraded="chat").items() if name in SHARES}
    policy = {each.partition("=")[2]: {"weight": weight} for each, weight in SHARES.items()}
    spec = recorded_spec_of(
        subpopulations={"by": [{"columns": "channel", "groups": policy}]},
        requirements={"quality": {"overall_margin": 0.05, "subpopulation_margin": 0.2, "retention": None}},
    )
    groups = tuple(dataclasses.replace(each, weight=SHARES[each.name]) for each in with_columns(groups_of(spec, cells)))
    return record_of(spec, cells, whole_of(cells), groups=groups)


def metrics() -> RunRecord:
    """Metrics of every unit and direction, claims about them in every channel, and a user's own function."""
    cells = {name: counts for name, counts in crossed(900).items() if name in SHARES}
    asked = [
        {"metric": "macro_f1", "margin": 0.03, "subpopulations": True},
        {"metric": "log_loss", "margin": 0.05},
        {"metric": "f1:late, or lost", "margin": 0.02, "required": False},
        {"metric": OWN, "margin": 1.5},
    ]
    spec = recorded_spec_of(
        requirements={"quality": {"overall_margin": 0.05, "subpopulation_margin": 0.08, "metrics": asked}}
    )
    values = [
        scored("macro_f1", 0.912, 0.901),
        scored("log_loss", 0.231, 0.264),
        scored("f1:late, or lost", 0.84, 0.79, off=0.02),
        scored(OWN, 61.3, 60.9, off=0.4),
        scored("ece", 0.021, 0.034, off=0.004),
        *(scored("macro_f1", 0.9, 0.88 - 0.004 * at, n=2700, where=name) for at, name in enumerate(cells)),
    ]
    return record_of(spec, cells, whole_of(cells), metrics=tuple(each for three in values for each in three))


def accuracy_twice() -> RunRecord:
    """The metric accuracy has a bar of its own in every group, beside the margin."""
    cells = {name: counts for name, counts in crossed(900, degraded="tweet").items() if name in SHARES}
    asked = {"metric": "accuracy", "margin": 0.3, "subpopulations": True}
    spec = recorded_spec_of(requirements={"quality": {"metrics": [asked]}})
    return record_of(spec, cells, whole_of(cells))


def bad_teacher() -> RunRecord:
    """The teacher itself is below the bar."""
    cells = crossed(900)
    bar = {"quality": {"teacher_accuracy": 0.97}, "latency": {"p50_ms": 10}}
    return record_of(spec_of(requirements=bar), cells, whole_of(cells))


def with_columns(groups: tuple[Group, ...]) -> tuple[Group, ...]:
    """The groups with the columns and values that their names are made of, and rows that differ."""
    parted = [[part.partition("=") for part in group.name.split(", ")] for group in groups]
    return tuple(
        dataclasses.replace(group, columns=tuple(part[0] for part in parts), values=tuple(part[2] for part in parts))
        for group, parts in zip(groups, parted, strict=True)
    )
