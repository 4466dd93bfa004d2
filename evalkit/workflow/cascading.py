"""What a cascade of student and teacher would come to, from what the other stages measured."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evalkit.cascade.cascade import Cascade, CascadeQuestion, work_out
from evalkit.cascade.latency import Latencies
from evalkit.cost.per_request import REDUCTION
from evalkit.data.subpopulations import Group
from evalkit.data.truth import CLASSIFICATION
from evalkit.quality.discovery.features import Task
from evalkit.quality.discovery.found_rows import found_groups
from evalkit.quality.metrics.measure import metric_measurements
from evalkit.quality.paired_gap import paired_measurements
from evalkit.quality.reweighted import reweighted_measurements
from evalkit.stats.interval import NotEstimable
from evalkit.stats.measurement import Measurement
from evalkit.workflow.answering import Answered
from evalkit.workflow.gate import Gate
from evalkit.workflow.grouping import Grouping, claims_of
from evalkit.workflow.inputs import Inputs
from evalkit.workflow.judging import Judged


def judge_cascade(
    gate: Gate,
    inputs: Inputs,
    answered: Answered,
    grouping: Grouping,
    judged: Judged,
    costs: tuple[Measurement, ...],
    latencies: Latencies | None,
) -> Cascade | None:
    """None where the spec wants none, states no prices, or is not about one label a text."""
    spec = gate.spec
    if spec.cost is None or not spec.cost.cascade or spec.task.kind != CLASSIFICATION:
        return None
    by_name = {each.name: each.value for each in costs}
    waiting = NotEstimable(
        reason="the teacher's machines stand ready whatever share they answer (cost.teacher.fleet)", n=0
    )
    has_fleet = spec.cost.teacher.fleet is not None
    confirmed = () if judged.discovery is None else judged.discovery.measurements
    found = _found(gate, inputs, answered, judged)
    cluster = answered.cluster
    question = CascadeQuestion(
        table=answered.table,
        labels=spec.task.labels,
        clusters=None if cluster is None else np.asarray(pd.factorize(answered.table[cluster])[0], dtype=np.int64),
        measure=lambda table, everything: _measure(gate, table, cluster, grouping, found, everything=everything),
        requirements=claims_of(spec, grouping, tuple(each.subpopulation for each in confirmed)),
        confidence=gate.confidence,
        latencies=latencies,
        costs={
            "teacher": waiting if has_fleet else by_name["teacher_usd_per_million_requests"],
            "student": by_name["student_usd_per_million_requests"],
            "reduction": waiting if has_fleet else by_name[REDUCTION],
        },
    )
    return work_out(question, np.random.default_rng(spec.seed))


def _measure(
    gate: Gate,
    table: pd.DataFrame,
    cluster: str | None,
    grouping: Grouping,
    found: tuple[Group, ...],
    *,
    everything: bool,
) -> tuple[Measurement, ...]:
    """What the claims about quality are about, of a student whose answers are those of ``table``."""
    spec, level = gate.spec, gate.level
    if not everything:
        return paired_measurements(table, (), cluster, level)
    asked = [each for each in spec.requirements.quality.metrics if each.required]
    return (
        *paired_measurements(table, (*grouping.groups, *found), cluster, level),
        *reweighted_measurements(table, grouping.groups, cluster, level),
        *metric_measurements(
            table,
            spec.task.kind,
            spec.task.labels,
            tuple(each.metric for each in asked),
            grouping.groups,
            cluster,
            spec.data.columns.query,
            level,
            np.random.default_rng(spec.seed),
            in_groups={each.metric for each in asked if each.subpopulations},
        ),
    )


def _found(gate: Gate, inputs: Inputs, answered: Answered, judged: Judged) -> tuple[Group, ...]:
    """The rows of the subpopulations that the search confirmed."""
    spec, discovery = gate.spec, judged.discovery
    if spec.discovery is None or discovery is None or not discovery.confirmed:
        return ()
    columns = spec.data.columns.model_copy(update={"cluster": answered.cluster})
    return found_groups(
        discovery.confirmed,
        answered.units,
        spec.discovery,
        task=Task(columns=columns, kind=spec.task.kind, labels=spec.task.labels),
        training_texts=None if inputs.train is None else inputs.train.texts,
        rng=np.random.default_rng(spec.seed),
    )
