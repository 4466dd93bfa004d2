"""The path of the gate: one content-keyed stage after the other, in this order, nothing else."""

from __future__ import annotations

from pathlib import Path

from evalkit.predictions.aligned import STUDENT, TEACHER, refuse_other_labels
from evalkit.record.layout import RunFolder, claim, locked
from evalkit.record.run_record import LoadReport, RunRecord, write_record
from evalkit.spec.loading import LoadedSpec
from evalkit.stats.interval import Estimate
from evalkit.workflow.answering import predict, refuse_incomparable, side
from evalkit.workflow.gate import Gate, Reporter
from evalkit.workflow.inputs import check_inputs
from evalkit.workflow.judging import judge, judge_cost, judge_quality
from evalkit.workflow.models import refuse_same_source, student_model, teacher_model
from evalkit.workflow.recording import put_together


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
    refuse_same_source(gate)
    inputs, counted = check_inputs(gate)

    teacher = None if spec.teacher.recorded else teacher_model(gate, inputs)
    if teacher is not None:
        refuse_other_labels(spec.task.labels, teacher.manifest.labels, teacher.manifest.labels)
    student = None if spec.student.recorded else student_model(gate, inputs, teacher)
    sides = side(gate, TEACHER, teacher), side(gate, STUDENT, student)
    refuse_incomparable(gate, *sides)

    predictions = predict(gate, inputs, *sides)
    judged = judge_quality(gate, inputs, *predictions)
    measurements = judged.measurements

    loads: tuple[LoadReport, ...] = ()
    rates: tuple[Estimate | None, Estimate | None] = (None, None)
    if spec.load is not None and teacher is not None and student is not None:
        from evalkit.workflow.measuring_load import latency_measurements, load_model

        texts, table = list(inputs.held_out.texts), predictions[1]
        loaded_student = load_model(gate, student, texts, table[STUDENT].tolist())
        loaded_teacher = load_model(gate, teacher, texts, table[TEACHER].tolist())
        measurements += latency_measurements(gate, loaded_student, loaded_teacher)
        loads = (loaded_student.report, loaded_teacher.report)
        rates = loaded_teacher.throughput_rps, loaded_student.throughput_rps

    measurements += judge_cost(gate, *rates)
    verdict = judge(gate, inputs, measurements, judged.findings)
    return put_together(gate, inputs, counted, sides, predictions, judged, loads, measurements, verdict, recorded_at)
