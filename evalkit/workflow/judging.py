"""From predictions and loads to measurements, findings and the verdict."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from evalkit.data.truth import CLASSIFICATION, RANKING
from evalkit.decision.cascade import CascadeOffer
from evalkit.decision.requirement import QUERIES, ROWS, UNSPENT_ERROR, Direction, Requirement
from evalkit.decision.verdict import Verdict, decide
from evalkit.diagnosis.discovered import discovered_finding
from evalkit.diagnosis.distribution_mismatch import distribution_mismatch
from evalkit.diagnosis.finding import Finding
from evalkit.diagnosis.hidden_degradation import hidden_degradation
from evalkit.predictions.aligned import STUDENT, TEACHER
from evalkit.quality.controls import ControlsReport
from evalkit.quality.discovery.discover import discover
from evalkit.quality.discovery.discovered import DiscoveryResult
from evalkit.quality.discovery.features import Task
from evalkit.quality.fidelity import fidelity_measurements
from evalkit.quality.metrics.answered import has_probabilities
from evalkit.quality.metrics.catalogue import defaults, is_own, metric
from evalkit.quality.metrics.idle_margin import refuse_idle_margin
from evalkit.quality.metrics.measure import metric_measurements
from evalkit.quality.outside import outside_measurements
from evalkit.quality.paired_gap import paired_measurements
from evalkit.quality.reweighted import reweighted_measurements
from evalkit.record.layout import write_text
from evalkit.record.looks import Look
from evalkit.spec.gate import GateSpec
from evalkit.stats.interval import NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.workflow.answering import Answered
from evalkit.workflow.gate import Gate
from evalkit.workflow.grouping import Grouping, claims_of
from evalkit.workflow.inputs import Inputs

VERSION = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the quality stage found, as it lies in quality.json."""

    measurements: tuple[Measurement, ...]
    findings: tuple[Finding, ...]
    discovery: DiscoveryResult | None


def refuse_unfit_metrics(gate: Gate) -> None:
    """Raises SpecError for a metric that the task does not have, one whose package is missing, and one whose margin
    every student would keep: before anything is trained."""
    task = gate.spec.task
    for each in gate.spec.requirements.quality.metrics:
        refuse_idle_margin(metric(each.metric, task.kind, task.labels), each.margin)


def judge_quality(gate: Gate, inputs: Inputs, answered: Answered, grouping: Grouping) -> Judged:
    """The paired gap of every subpopulation, the task's metrics, fidelity, the search for others, and the findings."""
    from pydantic import TypeAdapter

    spec = gate.spec

    def work(folder: Path) -> None:
        gate.reporter.progress(0.0, "paired gaps and metrics")
        measured = _measure(gate, answered, grouping)
        gate.reporter.progress(0.5, "undeclared subpopulations")
        discovery = _discover(gate, inputs, answered, grouping)
        if discovery is not None:
            measured += discovery.measurements
        gate.reporter.progress(0.8, "diagnosis")
        findings = _findings(gate, inputs, measured, discovery, grouping)
        judged = Judged(measurements=measured, findings=findings, discovery=discovery)
        write_text(folder / "quality.json", TypeAdapter(Judged).dump_json(judged, indent=1).decode())

    result = gate.stage(
        "quality",
        VERSION,
        {
            "predictions": answered.stage.key,
            "production": inputs.digests.get("production"),
            "train": inputs.digests.get("train"),
            "columns": spec.data.columns.model_dump(),
            "subpopulations": spec.subpopulations.model_dump(),
            "discovery": spec.discovery.model_dump() if spec.discovery else None,
            "quality": spec.requirements.quality.model_dump(),
            "own_metrics": _never_the_same(spec),
            "confidence": gate.confidence,
            "seed": spec.seed,
        },
        work,
    )
    return TypeAdapter(Judged).validate_json((result.folder / "quality.json").read_bytes())


def _never_the_same(spec: GateSpec) -> str | None:
    """A key of its own for each run with a user's metric: nobody knows what its code imports, and whether it was
    changed since."""
    asked = spec.requirements.quality.metrics
    return uuid.uuid4().hex if any(is_own(each.metric, spec.task.kind) for each in asked) else None


def _measure(gate: Gate, answered: Answered, grouping: Grouping) -> tuple[Measurement, ...]:
    spec, level = gate.spec, gate.level
    kind, labels = spec.task.kind, spec.task.labels
    rng = np.random.default_rng(spec.seed)
    asked = spec.requirements.quality.metrics
    probabilities = any(has_probabilities(answered.table, labels, model) for model in (TEACHER, STUDENT))
    measured_names = dict.fromkeys((*(each.metric for each in asked), *defaults(kind, probabilities=probabilities)))
    return (
        *paired_measurements(answered.units, grouping.groups, answered.cluster, level),
        *reweighted_measurements(answered.units, grouping.groups, answered.cluster, level),
        *metric_measurements(
            answered.table,
            kind,
            labels,
            tuple(measured_names),
            grouping.groups,
            answered.cluster,
            spec.data.columns.query,
            level,
            rng,
            in_groups={each.metric for each in asked if each.subpopulations},
        ),
        *fidelity_measurements(answered.units, kind, labels, answered.cluster, level, rng),
        *(
            outside_measurements(answered.units, grouping.groups, answered.cluster, level)
            if kind == CLASSIFICATION
            else ()
        ),
    )


def _discover(gate: Gate, inputs: Inputs, answered: Answered, grouping: Grouping) -> DiscoveryResult | None:
    spec = gate.spec
    if spec.discovery is None:
        return None
    columns = spec.data.columns.model_copy(update={"cluster": answered.cluster})
    return discover(
        answered.units,
        spec.discovery,
        task=Task(columns=columns, kind=spec.task.kind, labels=spec.task.labels),
        training_texts=None if inputs.train is None else inputs.train.texts,
        declared=grouping.groups,
        level=gate.level,
        rng=np.random.default_rng(spec.seed),
    )


def _findings(
    gate: Gate,
    inputs: Inputs,
    measured: tuple[Measurement, ...],
    discovery: DiscoveryResult | None,
    grouping: Grouping,
) -> tuple[Finding, ...]:
    quality = gate.spec.requirements.quality
    found = [hidden_degradation(measured, grouping.groups, grouping.overall_margin, gate.confidence)]
    if discovery is not None:
        found.append(discovered_finding(discovery, quality.subpopulation_margin, gate.confidence))
    if inputs.production is not None:
        rng = np.random.default_rng(gate.spec.seed)
        taught = () if inputs.train is None else inputs.train.texts
        found.append(distribution_mismatch(inputs.held_out.texts, inputs.production, gate.level, rng, taught))
    return tuple(each for each in found if each is not None)


def judge(
    gate: Gate,
    grouping: Grouping,
    look: Look,
    judged: Judged,
    measurements: tuple[Measurement, ...],
    cascade: CascadeOffer | None = None,
    controls: ControlsReport | None = None,
) -> Verdict:
    """The verdict on everything that was measured. A look beyond the planned ones leaves a claim open that nothing
    can show. A ``cascade``, or ``controls`` that are as good, may be recommended, and change no outcome."""
    confirmed = () if judged.discovery is None else judged.discovery.measurements
    claims = claims_of(gate.spec, grouping, tuple(each.subpopulation for each in confirmed))
    if look.exhausted is not None:
        nothing = NotEstimable(reason=look.exhausted, n=0)
        claims += (
            Requirement(measurement=UNSPENT_ERROR, subpopulation=ALL_ROWS, bound=0.0, direction=Direction.ABOVE),
        )
        measurements += (
            Measurement(
                name=UNSPENT_ERROR, subpopulation=ALL_ROWS, unit="share", value=nothing, evidence="looks.jsonl"
            ),
        )
    units = QUERIES if gate.spec.task.kind == RANKING else ROWS
    counted = tuple(replace(claim, units=units) for claim in claims)
    return decide(counted, measurements, judged.findings, gate.confidence, cascade, controls)
