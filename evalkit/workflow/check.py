"""The path of the gate: one content-keyed stage after the other, in this order, nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from evalkit.predictions.aligned import STUDENT, TEACHER
from evalkit.quality.paired_gap import is_shown_better
from evalkit.record.layout import RunFolder, claim, locked
from evalkit.record.looks import Look, close_look, open_look
from evalkit.record.looks_ledger import Question
from evalkit.record.run_record import RunRecord, write_record
from evalkit.spec.loading import LoadedSpec
from evalkit.workflow.answering import Side, predict, refuse_incomparable, side
from evalkit.workflow.batch_dependence import tried_in_batches
from evalkit.workflow.cascading import judge_cascade
from evalkit.workflow.controlling import hold_against_controls
from evalkit.workflow.controlling_answers import refuse_unfit_controls
from evalkit.workflow.costing import judge_cost, recorded_usage, usage_of_api
from evalkit.workflow.diagnosing import diagnose
from evalkit.workflow.gate import Gate, Reporter
from evalkit.workflow.grouping import grouping_of, refuse_small, refuse_unasked
from evalkit.workflow.inputs import Inputs, check_inputs
from evalkit.workflow.judging import judge, judge_quality, refuse_unfit_metrics
from evalkit.workflow.labelling import api_side
from evalkit.workflow.models import refuse_same_source, student_model, teacher_folder_model
from evalkit.workflow.own_student import try_module
from evalkit.workflow.recording import put_together
from evalkit.workflow.spreading.ray_cluster import refuse_missing_ray


def default_run_folder(loaded: LoadedSpec) -> Path:
    """runs/TASK-DIGEST beside gate.yaml: one folder a spec, so that a changed bar is another run."""
    return loaded.path.parent / "runs" / f"{loaded.spec.task.name}-{loaded.digest[:8]}"


def check(loaded: LoadedSpec, root: Path, reporter: Reporter) -> RunRecord:
    """Runs the whole gate in the folder ``root`` and returns its record.

    The spec's digest is written down before anything is evaluated. Finished stages are found again;
    raises an EvalkitError where the question cannot be asked or a stage breaks.
    """
    run = RunFolder(root.resolve())
    with locked(run):
        recorded = claim(run, loaded.spec.model_dump(mode="json"), loaded.digest)
        record = _measure_and_judge(Gate(loaded=loaded, run=run, reporter=reporter), recorded["recorded_at"])
        write_record(run, record)
    return record


def _measure_and_judge(gate: Gate, recorded_at: str) -> RunRecord:
    spec = gate.spec
    refuse_missing_ray(spec.executor.ray)
    refuse_same_source(gate)
    refuse_unfit_metrics(gate)
    usage = recorded_usage(gate.loaded)
    inputs, counted = check_inputs(gate)
    refuse_unasked(spec, inputs.groups)
    try_module(gate, inputs)
    refuse_unfit_controls(gate, inputs)

    teacher = teacher_folder_model(gate, inputs)
    of_api = None if spec.teacher.api is None else api_side(gate, inputs)
    if of_api is not None and of_api.recorded is not None:
        usage |= usage_of_api(gate.loaded, inputs, of_api.recorded)
    student = None if spec.student.recorded else student_model(gate, inputs, teacher)
    teacher, student = (tried_in_batches(gate, inputs, each) for each in (teacher, student))
    sides = of_api or side(gate, TEACHER, teacher), side(gate, STUDENT, student)
    refuse_incomparable(gate, *sides)

    answered = predict(gate, inputs, *sides)
    look = look_at(gate, inputs, *sides)
    gate = replace(gate, granted=look.confidence)
    grouping = grouping_of(spec, answered.units, gate.confidence)
    refuse_small(spec, grouping)
    judged = judge_quality(gate, inputs, answered, grouping)
    controlled = hold_against_controls(gate, inputs, answered, grouping, teacher)
    found = diagnose(gate, inputs, answered, teacher, student, is_shown_better(judged.measurements))
    judged = replace(judged, findings=judged.findings + found + controlled.findings)
    measurements = judged.measurements + controlled.measurements

    from evalkit.workflow.under_load import put_under_load

    load = put_under_load(gate, inputs, answered, student, teacher)
    measurements += load.measurements
    costs = judge_cost(spec.cost, usage, load.rates_rps, gate.level, spec.seed)
    measurements += costs.measurements
    cascade = judge_cascade(gate, inputs, answered, grouping, judged, costs.measurements, load.latencies)
    offer = None if cascade is None else cascade.offer
    verdict = judge(gate, grouping, look, judged, measurements, offer, controlled.report)
    close_look(look, verdict.outcome)
    return put_together(
        gate,
        inputs,
        counted,
        sides,
        answered=answered,
        grouping=grouping,
        judged=judged,
        controlled=controlled,
        loads=load.reports,
        cost=costs.report,
        cascade=cascade,
        measurements=measurements,
        verdict=verdict,
        look=look,
        recorded_at=recorded_at,
    )


def look_at(gate: Gate, inputs: Inputs, teacher: Side, student: Side) -> Look:
    """This use of the held-out set, counted before anything is judged on it."""
    bar = gate.spec.requirements
    question = Question(
        held_out=inputs.digests["held_out"],
        spec=gate.loaded.digest,
        teacher=teacher.version,
        student=student.version,
    )
    return open_look(gate.run.root.parent, question, gate.run.root.name, bar.confidence, bar.looks)
