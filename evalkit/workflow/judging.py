"""From predictions and loads to measurements, findings and the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from evalkit.cost.per_request import cost_measurements, usd_per_million
from evalkit.decision.requirement import requirements_of
from evalkit.decision.verdict import Verdict, decide
from evalkit.diagnosis.distribution_mismatch import distribution_mismatch
from evalkit.diagnosis.finding import Finding
from evalkit.diagnosis.hidden_degradation import hidden_degradation
from evalkit.quality.fidelity import fidelity_measurements
from evalkit.quality.paired_gap import paired_measurements
from evalkit.record.layout import write_text
from evalkit.record.stages import StageResult
from evalkit.stats.interval import Estimate
from evalkit.stats.measurement import Measurement
from evalkit.workflow.gate import Gate
from evalkit.workflow.inputs import Inputs

VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the quality stage found, as it lies in quality.json."""

    measurements: tuple[Measurement, ...]
    findings: tuple[Finding, ...]


def judge_quality(gate: Gate, inputs: Inputs, predictions: StageResult, table: pd.DataFrame) -> Judged:
    """The paired gap of every subpopulation, fidelity, and the findings."""
    from pydantic import TypeAdapter

    spec = gate.spec
    level = 2.0 * spec.requirements.confidence - 1.0
    cluster = spec.data.columns.cluster

    def work(folder: Path) -> None:
        gate.reporter.progress(0.0, "paired gaps")
        measured = (
            *paired_measurements(table, inputs.groups, cluster, level),
            *fidelity_measurements(table, spec.task.labels, cluster, level),
        )
        gate.reporter.progress(0.5, "diagnosis")
        judged = Judged(measurements=measured, findings=_findings(gate, inputs, measured, level))
        write_text(folder / "quality.json", TypeAdapter(Judged).dump_json(judged, indent=1).decode())

    result = gate.stage(
        "quality",
        VERSION,
        {
            "predictions": predictions.key,
            "production": inputs.digests.get("production"),
            "subpopulations": spec.subpopulations.model_dump(),
            "quality": spec.requirements.quality.model_dump(),
            "confidence": spec.requirements.confidence,
            "seed": spec.seed,
        },
        work,
    )
    return TypeAdapter(Judged).validate_json((result.folder / "quality.json").read_bytes())


def _findings(gate: Gate, inputs: Inputs, measured: tuple[Measurement, ...], level: float) -> tuple[Finding, ...]:
    bar = gate.spec.requirements
    found = [hidden_degradation(measured, inputs.groups, bar.quality.overall_margin, bar.confidence)]
    if inputs.production is not None:
        rng = np.random.default_rng(gate.spec.seed)
        found.append(distribution_mismatch(inputs.held_out.texts, inputs.production, level, rng))
    return tuple(each for each in found if each is not None)


def judge_cost(gate: Gate, teacher_rps: Estimate | None, student_rps: Estimate | None) -> tuple[Measurement, ...]:
    """Cost per million requests of both, and the reduction; nothing where the spec has no prices."""
    cost = gate.spec.cost
    if cost is None:
        return ()
    return cost_measurements(usd_per_million(cost.teacher, teacher_rps), usd_per_million(cost.student, student_rps))


def judge(gate: Gate, inputs: Inputs, measurements: tuple[Measurement, ...], findings: tuple[Finding, ...]) -> Verdict:
    """The verdict on everything that was measured."""
    bar = gate.spec.requirements
    return decide(requirements_of(bar, inputs.groups), measurements, findings, bar.confidence)
