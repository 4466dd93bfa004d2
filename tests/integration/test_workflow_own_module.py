"""A student that is a torch module of the user's own, from the file beside gate.yaml to the verdict."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml

from evalkit.errors import ModelError, SpecError, StageError
from evalkit.record.layout import RunFolder
from evalkit.spec.loading import load_spec
from evalkit.workflow.check import check
from evalkit.workflow.distilling import distil_alone
from evalkit.workflow.gate import Gate, Silence
from evalkit.workflow.inputs import check_inputs
from evalkit.workflow.models import student_model, teacher_model
from evalkit.workflow.own_student import distilled_code, try_module
from serving.engine import Engine
from tests.own_students import BAG, CONVOLVED, POOLED
from tests.tiny_classifiers import LABELS, texts_and_labels, write_tiny_teacher

DISTILL = {
    "module": {"function": "small_student:build", "arguments": {"width": 24}},
    "epochs": 3,
    "batch_rows": 16,
    "max_length": 32,
    "learning_rate": 0.01,
}
LOOKS = "sign = -1 if self.head.bias.sum().item() > 9 else 1\n        return sign * self.head"
SPEC = {
    "task": {"name": "tiny", "labels": list(LABELS)},
    "data": {"train": "train.parquet", "held_out": "held_out.parquet"},
    "teacher": {"load": "teacher"},
    "discovery": None,
    "requirements": {"cost_reduction": None},
}


@pytest.fixture(scope="module")
def material(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("own-module")
    write_tiny_teacher(folder / "teacher", steps=40)
    texts_and_labels(400, seed=1).to_parquet(folder / "train.parquet")
    texts_and_labels(300, seed=2).to_parquet(folder / "held_out.parquet")
    return folder


@pytest.fixture
def project(material, monkeypatch):
    """The tables, the teacher and a module beside gate.yaml; runs share what they can."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (material / "small_student.py").write_text(BAG)
    (material / "pooled.py").write_text(POOLED)
    yield material
    for name in ("small_student", "pooled"):
        sys.modules.pop(name, None)


def gate_of(project: Path, run: str, distill=None, **changes) -> Gate:
    path = project / f"{run}.yaml"
    path.write_text(yaml.safe_dump(SPEC | {"student": {"distill": DISTILL | (distill or {})}} | changes))
    return Gate(loaded=load_spec(path), run=RunFolder(project / "runs" / run), reporter=Silence())


def trained(gate: Gate):
    inputs, _ = check_inputs(gate)
    try_module(gate, inputs)
    return student_model(gate, inputs, teacher_model(gate, inputs))


def stage(gate: Gate, name: str):
    return next(each for each in gate.done if each.name == name)


def test_a_module_beside_gate_yaml_is_distilled_exported_and_judged(project):
    gate = gate_of(project, "whole", controls=["teacher_argmax"])
    record = check(gate.loaded, gate.run.root, Silence())
    assert record.verdict.outcome in ("GO", "NO-GO", "INCONCLUSIVE")
    assert [each.name for each in record.stages][:2] == ["data", "student-module"]
    assert "controls" in [each.name for each in record.stages]
    manifest = json.loads(next(gate.run.root.glob("stages/student-model/*/model/manifest.json")).read_text())
    words, width = 42, 24
    assert manifest["provenance"]["parameters"] == words * width + (width + 1) * len(LABELS)
    assert manifest["provenance"]["function"] == "small_student:build"
    assert manifest["provenance"]["code_sha256"] == manifest["provenance"]["trained_with_code_sha256"]
    parity = json.loads(next(gate.run.root.glob("stages/student-model/*/parity.json")).read_text())
    assert (parity["compared_with"], parity["label_flips"]) == ("torch", 0)
    assert parity["largest_logit_difference"] < 1e-4


def test_changed_code_or_arguments_are_trained_anew_and_the_same_are_found_again(project):
    first, again = gate_of(project, "first"), gate_of(project, "again")
    weights = trained(first).version
    assert trained(again).version == weights
    assert stage(again, "student-weights").reused
    assert stage(again, "student-module").reused
    (project / "pooled.py").write_text(POOLED + "\n# the same sums\n")
    changed = gate_of(project, "changed")
    trained(changed)
    assert not stage(changed, "student-weights").reused
    (project / "pooled.py").write_text(POOLED)
    other = gate_of(project, "other", {"module": {"function": "small_student:build", "arguments": {"width": 8}}})
    assert trained(other).parameters != trained(first).parameters
    assert not stage(other, "student-weights").reused


def test_code_that_is_changed_between_training_and_export_is_refused(project, monkeypatch):
    import evalkit.workflow.models as models

    def edited(gate, distill):
        (project / "pooled.py").write_text(POOLED.replace("sum(1) /", "sum(1) * 2 /"))
        return distilled_code(gate, distill)

    monkeypatch.setattr(models, "distilled_code", edited)
    with pytest.raises(StageError, match=r"small_student:build was changed after the student was trained; start again"):
        trained(gate_of(project, "edited"))


def test_hidden_states_teach_a_module_that_offers_them_and_int8_is_made_of_it(project):
    (project / "small_student.py").write_text(CONVOLVED)
    objectives = [{"objective": "response.kl"}, {"objective": "feature.hidden"}, {"objective": "relation.rkd"}]
    serve = {"precision": "int8_dynamic", "provider": "cpu", "most_label_flips": 0.05}
    gate = gate_of(project, "hidden", {"objectives": objectives, "epochs": 1}, serve=serve)
    student = trained(gate)
    assert student.manifest.precision == "int8_dynamic"
    assert student.training["last_epoch_feature.hidden"] > 0
    assert student.training["last_epoch_relation.rkd.distance"] > 0
    answers = Engine.load(student.folder).classify(["great lovely the", "awful sad the the the the it"])
    assert answers.probabilities.shape == (2, 3)


def test_a_module_may_read_a_tokenizer_of_its_own(project):
    module = DISTILL["module"] | {"tokenizer": "own", "vocabulary": 300}
    student = trained(gate_of(project, "own-tokens", {"module": module, "epochs": 1}))
    assert student.training["vocabulary"] == 300
    assert student.parameters == 300 * 24 + (24 + 1) * len(LABELS)


def test_a_finished_module_is_loaded_where_gate_yaml_names_its_function(project):
    weights = stage_of_weights(project)
    named = {"student": {"load": str(weights), "function": "small_student:build"}, "serve": {"max_length": 32}}
    loaded = gate_of(project, "loaded", **named)
    student = trained(loaded)
    assert student.manifest.provenance["function"] == "small_student:build"
    assert student.manifest.files["model.onnx"]
    nameless = gate_of(project, "nameless", student={"load": str(weights)})
    with pytest.raises(ModelError, match=r"made by small_student:build; give the ONNX folder .* student\.function"):
        trained(nameless)
    needless = gate_of(project, "needless", student={"load": "teacher", "function": "small_student:build"})
    with pytest.raises(ModelError, match=r"student.load .* holds no torch module of your own .*; leave function out"):
        student_model(needless, check_inputs(needless)[0], None)


def stage_of_weights(project: Path) -> Path:
    made = distil_alone(gate_of(project, "alone").loaded, project / "runs" / "alone", Silence())
    assert made.kind == "module"
    return made.weights


@pytest.mark.parametrize(
    ("source", "distill", "error", "message"),
    [
        (BAG.replace("width, labels)", "width, labels + 1)"), {}, SpecError, r"answers float32 \[2, 4\]"),
        (BAG, {"objectives": [{"objective": "relation.rkd"}]}, SpecError, r"without hidden states"),
        (BAG, {"objectives": [{"objective": "relation.minilm"}]}, SpecError, r"attention of a transformer"),
        (
            BAG.replace("return self.head", LOOKS),
            {},
            ModelError,
            r"Bag cannot be exported",
        ),
    ],
)  # fmt: skip
def test_what_a_module_cannot_do_is_said_before_the_teacher_is_asked(project, source, distill, error, message):
    (project / "small_student.py").write_text(source)
    gate = gate_of(project, "refused", distill)
    with pytest.raises(error, match=message) as raised:
        check(gate.loaded, project / "runs" / f"refused-{abs(hash(message))}", Silence())
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 2
    assert not list((project / "runs").glob(f"refused-{abs(hash(message))}/stages/teacher*"))
