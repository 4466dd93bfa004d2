"""The run record is put together from what the stages left."""

from __future__ import annotations

import importlib.metadata
import shutil
from typing import Any

from evalkit.cascade.cascade import Cascade
from evalkit.cost.report import CostReport
from evalkit.data.subpopulations import Group
from evalkit.decision.verdict import Verdict
from evalkit.predictions.aligned import STUDENT, TEACHER
from evalkit.quality.controls import EVIDENCE
from evalkit.quality.equality import mcnemar_mid_p
from evalkit.quality.paired_gap import GAP, right
from evalkit.record.hardware import hardware, packages
from evalkit.record.layout import utc_now
from evalkit.record.looks import Look
from evalkit.record.run_record import (
    SCHEMA_VERSION,
    Example,
    GroupLine,
    LoadReport,
    ModelSummary,
    RunRecord,
    Signature,
    StageLine,
)
from evalkit.stats.interval import Interval
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.workflow.answering import Answered, Side
from evalkit.workflow.controlling import Controlled
from evalkit.workflow.gate import Gate
from evalkit.workflow.grouping import Grouping
from evalkit.workflow.inputs import Inputs
from evalkit.workflow.judging import Judged

MOST_EXAMPLES = 8
LONGEST_EXAMPLE = 500


def put_together(
    gate: Gate,
    inputs: Inputs,
    counted: dict[str, Any],
    sides: tuple[Side, Side],
    *,
    answered: Answered,
    grouping: Grouping,
    judged: Judged,
    controlled: Controlled,
    loads: tuple[LoadReport, ...],
    cost: CostReport | None,
    cascade: Cascade | None,
    measurements: tuple[Measurement, ...],
    verdict: Verdict,
    look: Look,
    recorded_at: str,
) -> RunRecord:
    """The record of a finished run; its predictions are laid at the top of the run folder."""
    shutil.copy2(answered.stage.folder / "predictions.parquet", gate.run.predictions)
    if controlled.stage is not None:
        shutil.copy2(controlled.stage.folder / EVIDENCE, gate.run.controls)
    return RunRecord(
        schema_version=SCHEMA_VERSION,
        task=gate.spec.task.model_dump(mode="json"),
        verdict=verdict,
        measurements=measurements,
        findings=judged.findings,
        groups=_group_lines(grouping.groups, measurements),
        too_small=grouping.too_small,
        discovery=judged.discovery,
        looks=look.report(),
        data={**counted, **answered.stage.read("predictions.json")},
        models=tuple(_summary(each) for each in sides),
        loads=loads,
        cost=cost,
        cascade=cascade,
        controls=controlled.report,
        examples=_examples(inputs, answered, grouping, verdict, measurements),
        stages=tuple(
            StageLine(
                name=each.name,
                key=each.key,
                seconds=each.seconds,
                finished_at=each.finished_at,
                reused=each.reused,
            )
            for each in gate.done
        ),
        spec=gate.spec.model_dump(mode="json"),
        signature=_signature(gate, inputs, sides, loads, recorded_at),
    )


def _group_lines(groups: tuple[Group, ...], measurements: tuple[Measurement, ...]) -> tuple[GroupLine, ...]:
    equality = mcnemar_mid_p(measurements)
    return tuple(
        GroupLine(
            name=group.name,
            n=group.n,
            margin=group.margin,
            required=group.required,
            merged_into=group.merged_into,
            equality_p=equality.get(group.name),
        )
        for group in groups
    )


def _summary(one: Side) -> ModelSummary:
    model = one.model
    if model is None:
        return ModelSummary(
            role=one.role,
            source=one.source or f"recorded predictions ({one.recorded.name if one.recorded else ''})",
            version=one.version,
            parameters=None,
            megabytes=None,
            parity=None,
            training=None,
        )
    return ModelSummary(
        role=one.role,
        source=model.source,
        version=one.version,
        parameters=model.parameters,
        megabytes=model.megabytes,
        parity=model.parity,
        training=model.training,
        batches=model.batches,
    )


def _examples(
    inputs: Inputs, answered: Answered, grouping: Grouping, verdict: Verdict, measurements: tuple[Measurement, ...]
) -> tuple[Example, ...]:
    """Rows that the teacher gets right and the student wrong, in the subpopulation that needs looking at. A query of
    a ranking is shown by its name."""
    units = answered.units
    group = _worst_group(grouping.groups, verdict, measurements)
    rows = units if group is None else units.iloc[group.rows]
    lost = rows[right(rows, TEACHER) & ~right(rows, STUDENT)]
    sure = [name for name in units.columns if name.startswith(f"{STUDENT}_probability_")]
    if sure:
        lost = lost.assign(_sure=lost[sure].max(axis=1)).sort_values("_sure", ascending=False)
    text = dict(zip(inputs.held_out.ids, inputs.held_out.texts, strict=True))
    shown = lost[["row_id", "row_label", TEACHER, STUDENT]].head(MOST_EXAMPLES).astype(str)
    return tuple(
        Example(
            row_id=row_id,
            text=text.get(row_id, row_id)[:LONGEST_EXAMPLE],
            label=label,
            teacher=teacher,
            student=student,
            subpopulation=ALL_ROWS if group is None else group.name,
        )
        for row_id, label, teacher, student in shown.to_numpy().tolist()
    )


def _worst_group(groups: tuple[Group, ...], verdict: Verdict, measurements: tuple[Measurement, ...]) -> Group | None:
    by_name = {group.name: group for group in groups}
    if verdict.deciding is not None and verdict.deciding.requirement.subpopulation in by_name:
        return by_name[verdict.deciding.requirement.subpopulation]
    gaps = {
        each.subpopulation: each.value.point
        for each in measurements
        if each.name == GAP and each.subpopulation in by_name and isinstance(each.value, Interval)
    }
    return by_name[min(gaps, key=gaps.__getitem__)] if gaps else None


def _signature(
    gate: Gate, inputs: Inputs, sides: tuple[Side, Side], loads: tuple[LoadReport, ...], recorded_at: str
) -> Signature:
    return Signature(
        evalkit_version=importlib.metadata.version("evalkit-gate"),
        spec_digest=gate.loaded.digest,
        spec_recorded_at=recorded_at,
        decided_at=utc_now(),
        seed=gate.spec.seed,
        data_digests=inputs.digests,
        model_versions={each.role: each.version for each in sides},
        execution_provider=loads[0].pinning["provider"] if loads else None,
        hardware=hardware(),
        packages=packages(),
        command=f"evalkit check {gate.loaded.path.name}",
    )
