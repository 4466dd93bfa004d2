"""The gate judges the very file that is served, in the precision that the spec asks for."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from evalkit.errors import SpecError, StageError
from evalkit.record.layout import RunFolder
from evalkit.spec.loading import load_spec
from evalkit.workflow.gate import Gate, Silence
from evalkit.workflow.inputs import check_inputs
from evalkit.workflow.models import student_model, teacher_model
from serving.engine import Engine
from tests.tiny_classifiers import LABELS, texts_and_labels, write_tiny_teacher

SPEC = {
    "task": {"name": "tiny", "labels": list(LABELS)},
    "data": {"train": "train.parquet", "held_out": "held_out.parquet", "max_leakage": 1.0},
    "teacher": {"load": "student"},
    "student": {"load": "student"},
    "requirements": {"cost_reduction": None},
}
SMALLER = {"precision": "int8_static", "calibration_rows": 40, "most_label_flips": 0.03, "provider": "cpu"}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("precision")
    write_tiny_teacher(folder / "student", steps=40)
    held_out = texts_and_labels(400, seed=2)
    held_out.to_parquet(folder / "held_out.parquet")
    shared = pd.concat([texts_and_labels(60, seed=1), held_out.assign(id=held_out["id"] + "-train")])
    shared.to_parquet(folder / "train.parquet")
    return folder


def gate_of(project: Path, run: str, **changes) -> Gate:
    path = project / f"{run}.yaml"
    path.write_text(yaml.safe_dump(SPEC | changes))
    return Gate(loaded=load_spec(path), run=RunFolder(project / "runs" / run), reporter=Silence())


def test_the_student_is_packaged_checked_and_answers_in_the_precision_asked_for(project):
    gate = gate_of(project, "smaller", serve=SMALLER)
    inputs, _ = check_inputs(gate)
    teacher, student = teacher_model(gate, inputs), student_model(gate, inputs, None)
    assert (teacher.manifest.precision, student.manifest.precision) == ("fp32", "int8_static")
    assert student.parity is not None
    assert (student.parity["precision"], student.parity["compared_with"]) == ("int8_static", "torch")
    assert (student.parity["texts"], student.parity["tolerance"]) == (400, None)
    assert student.manifest.provenance["calibration"]["texts"] == 40
    assert student.manifest.provenance["run"] == "smaller"
    assert Engine.load(student.folder).version == student.version
    plain = gate_of(project, "plain")
    assert student_model(plain, inputs, None).version != student.version
    stated = [
        json.loads((stage.folder / "stage.json").read_text())["inputs"] for stage in (gate.done[-1], plain.done[-1])
    ]
    assert stated[0]["calibration_rows"] == 40
    assert set(stated[1]) == {"source", "task", "max_length", "tolerance", "held_out", "text"}, (
        "fp32 rests on what it did"
    )


def test_a_folder_that_is_onnx_already_is_compared_with_its_fp32(project):
    plain = gate_of(project, "plain")
    inputs, _ = check_inputs(plain)
    onnx = student_model(plain, inputs, None).folder
    gate = gate_of(project, "onnx", student={"load": str(onnx)}, serve=SMALLER | {"precision": "int8_dynamic"})
    student = student_model(gate, inputs, None)
    assert student.parity is not None
    assert (student.manifest.precision, student.parity["compared_with"]) == ("int8_dynamic", "fp32")
    again = gate_of(
        project, "again", student={"load": str(student.folder)}, serve=SMALLER | {"precision": "int8_dynamic"}
    )
    kept = student_model(again, inputs, None)
    assert (kept.version, kept.parity) == (student.version, None)


def test_a_precision_that_flips_too_many_labels_ends_the_stage(project, monkeypatch):
    import evalkit.packaging.package as package

    kept = package.served_logits
    monkeypatch.setattr(package, "served_logits", lambda engine, texts: kept(engine, texts)[:, ::-1])
    gate = gate_of(project, "flips", serve=SMALLER | {"precision": "int8_dynamic"})
    inputs, _ = check_inputs(gate)
    with pytest.raises(StageError, match=r"int8_dynamic flips \d+ of 400 labels against torch .* allows 3.0%"):
        student_model(gate, inputs, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"serve": {"precision": "fp16"}}, r"serve.precision is fp16 and serve.provider is auto; .* slower than fp32"),
        ({"serve": {"precision": "fp16", "provider": "cpu"}}, r"or set serve.fp16_on_cpu to true"),
        (
            {"serve": {"precision": "int8_static"}, "data": {"held_out": "held_out.parquet"}},
            r"serve.precision is int8_static, which needs data.train",
        ),
        (
            {"serve": {"precision": "int8_dynamic"}, "student": {"recorded": "student.csv"}},
            r"serve.precision is int8_dynamic, but the student has no model to make it of",
        ),
        (
            {"serve": {"teacher_precision": "int8_dynamic"}, "teacher": {"recorded": "teacher.csv"}},
            r"serve.teacher_precision is int8_dynamic, but the teacher has no model to make it of",
        ),
    ],
)
def test_a_precision_that_nothing_can_be_served_in_is_refused_with_the_spec(project, changes, message):
    with pytest.raises(SpecError, match=message):
        gate_of(project, "refused", **changes)


def test_half_precision_on_a_cpu_is_made_where_it_is_asked_for_plainly(project):
    serve = {"precision": "fp16", "provider": "cpu", "fp16_on_cpu": True}
    gate = gate_of(project, "half", serve=serve)
    inputs, _ = check_inputs(gate)
    assert student_model(gate, inputs, None).manifest.precision == "fp16"
