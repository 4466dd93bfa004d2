"""A run record, put together and decided by the real decision code."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from evalkit.cascade.cascade import Cascade
from evalkit.data.subpopulations import Group, Infeasible, infeasible
from evalkit.data.weights import weighted_groupings
from evalkit.decision.requirement import Requirement, requirements_of
from evalkit.decision.verdict import Verdict, decide
from evalkit.diagnosis.discovered import discovered_finding
from evalkit.diagnosis.finding import Finding
from evalkit.diagnosis.hidden_degradation import hidden_degradation
from evalkit.quality.discovery.discovered import DiscoveryResult
from evalkit.record.looks import LooksReport
from evalkit.record.run_record import SCHEMA_VERSION, Example, GroupLine, RunRecord
from evalkit.spec.gate import GateSpec
from evalkit.stats.interval import Estimate
from evalkit.stats.mcnemar import mid_p
from evalkit.stats.measurement import Measurement
from evalkit.stats.paired_counts import PairedCounts
from tests.unit.reports.counted import Cells
from tests.unit.reports.looked import exhausted, first_look
from tests.unit.reports.measured import interval, load, mismatch, priced, quality, speed, weighted_gaps
from tests.unit.reports.scored import directions
from tests.unit.reports.surroundings import STAGES, data_of, models, signature


def record_of(
    spec: GateSpec,
    cells: Cells,
    whole: PairedCounts,
    *,
    groups: tuple[Group, ...] | None = None,
    too_small: tuple[Infeasible, ...] | None = None,
    metrics: tuple[Measurement, ...] = (),
    void: Mapping[str, tuple[str, ...]] | None = None,
    kl: Estimate | None = None,
    auc: Estimate | None = None,
    examples: tuple[Example, ...] = (),
    discovery: DiscoveryResult | None = None,
    looks: LooksReport | None = None,
    cascade: Cascade | None = None,
) -> RunRecord:
    """A record whose checks are those of the real decision code. ``cells`` are the counts of the ``groups``, which
    are all required where they are not given; ``whole`` are those of all rows."""
    groups = groups_of(spec, cells) if groups is None else groups
    looks = looks or first_look(spec.requirements.confidence)
    confidence = looks.confidence or looks.asked_confidence
    level = 2 * confidence - 1
    measured = quality(cells, whole, kl or interval(0.0871, 0.06, whole.n, "Student t"), level)
    measured += weighted_gaps(groups, cells, level) + metrics + (discovery.measurements if discovery else ())
    findings = _findings(spec, groups, measured, discovery, mismatch(auc or interval(0.512, 0.02, 4000)))
    measured += speed(void or {}, level) if spec.load else ()
    costs, stated = priced(spec, measured)
    measured += costs
    return RunRecord(
        schema_version=SCHEMA_VERSION,
        task=spec.task.model_dump(mode="json"),
        verdict=_verdict(spec, groups, measured, findings, discovery, looks),
        measurements=measured,
        findings=findings,
        groups=group_lines(groups, cells),
        too_small=infeasible(groups, confidence) if too_small is None else too_small,
        discovery=discovery,
        looks=looks,
        data=data_of(spec, whole),
        models=models(spec),
        loads=tuple(load(role, (void or {}).get(role, ())) for role in ("student", "teacher")) if spec.load else (),
        cost=stated,
        cascade=cascade,
        examples=examples,
        stages=STAGES,
        spec=spec.model_dump(mode="json"),
        signature=signature(spec),
    )


def groups_of(spec: GateSpec, cells: Cells, *, required: bool = True) -> tuple[Group, ...]:
    """The groups with these counts, at the margin of the spec."""
    margin = spec.requirements.quality.subpopulation_margin
    return tuple(
        Group(name=name, rows=np.arange(each.n), margin=margin, required=required) for name, each in cells.items()
    )


def group_lines(groups: tuple[Group, ...], cells: Cells) -> tuple[GroupLine, ...]:
    return tuple(
        GroupLine(
            name=each.name,
            n=each.n,
            margin=each.margin,
            required=each.required,
            merged_into=each.merged_into,
            equality_p=mid_p(cells[each.name]),
        )
        for each in groups
    )


def claims_of(spec: GateSpec, groups: tuple[Group, ...], discovery: DiscoveryResult | None) -> tuple[Requirement, ...]:
    """What the spec asks for."""
    return requirements_of(
        spec.requirements,
        groups,
        discovered=tuple(each.subpopulation for each in (discovery.measurements if discovery else ())),
        discovery_required=spec.discovery is not None and spec.discovery.required,
        weighted=tuple(each.name for each in weighted_groupings(groups)),
        higher_is_better=directions(spec),
    )


def _findings(
    spec: GateSpec,
    groups: tuple[Group, ...],
    measured: tuple[Measurement, ...],
    discovery: DiscoveryResult | None,
    drift: Finding,
) -> tuple[Finding, ...]:
    bar = spec.requirements
    found = [hidden_degradation(measured, groups, bar.quality.overall_margin, bar.confidence)]
    if discovery is not None:
        found.append(discovered_finding(discovery, bar.quality.subpopulation_margin, bar.confidence))
    return tuple(each for each in (*found, drift) if each is not None)


def _verdict(
    spec: GateSpec,
    groups: tuple[Group, ...],
    measured: tuple[Measurement, ...],
    findings: tuple[Finding, ...],
    discovery: DiscoveryResult | None,
    looks: LooksReport,
) -> Verdict:
    claims, nothing = exhausted(looks)
    return decide(
        (*claims_of(spec, groups, discovery), *claims),
        (*measured, *nothing),
        findings,
        looks.confidence or looks.asked_confidence,
    )
