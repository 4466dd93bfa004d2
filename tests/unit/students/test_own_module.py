"""A torch module of the user's own is trained as any student is: resumed, held to its objectives, saved."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from evalkit.data.dataset import training_rows
from evalkit.errors import SpecError
from evalkit.modelling.loading import load_classifier
from evalkit.modelling.own_module import own_student
from evalkit.spec.distill import Distill, FeatureHidden, RelationMinilm, ResponseKl
from evalkit.spec.gate import Columns
from evalkit.spec.own_code import own_code
from evalkit.students.distil import distil
from evalkit.students.from_spec import distil_into
from evalkit.students.lesson import Lesson
from evalkit.students.schedule import Schedule
from tests.own_students import CONVOLVED
from tests.tiny_classifiers import LABELS, texts_and_labels, write_tiny_teacher

NAME = "student_in_training:build"


@pytest.fixture(scope="module")
def teacher_folder(tmp_path_factory):
    return write_tiny_teacher(tmp_path_factory.mktemp("teacher"), steps=1)


@pytest.fixture
def code(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "student_in_training.py").write_text(CONVOLVED)
    yield own_code("student.distill.module", NAME, tmp_path)
    sys.modules.pop("student_in_training", None)


class Killed(Exception):
    """What ends a training from outside."""


def test_a_module_killed_in_its_training_goes_on_to_the_same_weights(teacher_folder, code, tmp_path):
    rows = training_rows(texts_and_labels(160, seed=1), Columns(), LABELS)
    module = {"function": NAME, "arguments": {"width": 8}}
    distill = Distill(module=module, epochs=3, batch_rows=8, max_length=16, checkpoint_steps=5)

    def train(folder, checkpoints, dies_at=None):
        def hear(share, _):
            if dies_at is not None and share >= dies_at:
                raise Killed

        return distil_into(
            tmp_path / folder,
            teacher_folder=teacher_folder,
            rows=rows,
            task_labels=LABELS,
            teacher_probabilities=np.full((160, 3), [0.6, 0.3, 0.1], dtype=np.float32),
            distill=distill,
            seed=4,
            on_progress=hear,
            checkpoints=tmp_path / checkpoints,
            code=code,
        )

    whole = train("whole", "none")
    with pytest.raises(Killed):
        train("parts", "checkpoints", dies_at=0.5)
    resumed = train("parts", "checkpoints")
    assert resumed["resumed_at_step"] >= 25
    assert resumed["parameters"] == whole["parameters"]
    one, other = (load_classifier(tmp_path / name, code=code).model.state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (FeatureHidden(), r"feature.hidden reads hidden states, which .*student_in_training:build does not offer"),
        (RelationMinilm(), r"relation.minilm reads the attention of a transformer, which .*:build does not offer"),
    ],
)
def test_an_objective_that_reads_what_a_module_does_not_offer_is_refused(teacher_folder, code, objective, message):
    teacher = load_classifier(teacher_folder)
    student = own_student(code, {"width": 8}, teacher.tokenizer, LABELS, seed=1)
    lesson = Lesson(
        texts=["great"] * 4, probabilities=np.full((4, 3), 1 / 3, dtype=np.float32), labels=np.zeros(4, int)
    )
    schedule = Schedule(epochs=1, learning_rate=1e-3, batch_rows=4, max_length=16, seed=1)
    with pytest.raises(SpecError, match=message):
        distil(student, lesson, [ResponseKl(), objective], schedule, lambda _: None, teacher)


def test_a_module_that_breaks_in_training_is_named_with_the_shape_that_broke_it(teacher_folder, code):
    teacher = load_classifier(teacher_folder)
    student = own_student(code, {"width": 8}, teacher.tokenizer, LABELS, seed=1)
    student.model.module.embeddings = torch.nn.Embedding(3, 8)
    lesson = Lesson(
        texts=["great"] * 4, probabilities=np.full((4, 3), 1 / 3, dtype=np.float32), labels=np.zeros(4, int)
    )
    schedule = Schedule(epochs=1, learning_rate=1e-3, batch_rows=4, max_length=16, seed=1)
    with pytest.raises(SpecError, match=r":build made a module whose forward raised IndexError on input_ids \[4, 3\]"):
        distil(student, lesson, [ResponseKl()], schedule, lambda _: None)
