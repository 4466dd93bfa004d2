"""Training on one NVIDIA GPU, in bf16: `make gpu-check` runs it; elsewhere it is skipped."""

from __future__ import annotations

import pytest
import torch

from evalkit.modelling.loading import load_classifier
from evalkit.modelling.predicting import torch_logits
from evalkit.students.architecture import cut_from_teacher
from evalkit.students.objectives.hard import TrueLabels
from evalkit.students.schedule import Schedule
from evalkit.students.training import train
from serving.session import nvidia_driver_present
from tests.tiny_classifiers import LABELS, texts_and_labels, write_tiny_teacher

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not nvidia_driver_present(), reason="needs an NVIDIA GPU"),
]
SCHEDULE = Schedule(epochs=3, learning_rate=3e-3, batch_rows=16, max_length=32, seed=5, checkpoint_steps=7)


def trained(teacher, checkpoints=None):
    rows = texts_and_labels(320, seed=3)
    student = cut_from_teacher(teacher, [0, 2])
    truth = torch.tensor([LABELS.index(label) for label in rows["label"]])
    loss = TrueLabels(labels=truth)
    facts = train(student, rows["text"].tolist(), loss, SCHEDULE, lambda _: None, checkpoints=checkpoints)
    return student, facts


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return load_classifier(write_tiny_teacher(tmp_path_factory.mktemp("teacher"), steps=20))


def test_a_student_is_trained_in_bf16_and_comes_back_to_the_cpu_in_fp32(teacher):
    student, facts = trained(teacher)
    expected = "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    assert (facts.device.split(":")[0], facts.precision) == ("cuda", expected)
    assert {(each.device.type, each.dtype) for each in student.model.parameters()} == {("cpu", torch.float32)}
    rows = texts_and_labels(300, seed=4)
    predicted = torch_logits(student, rows["text"].tolist(), 32).argmax(1)
    assert (predicted == [LABELS.index(label) for label in rows["label"]]).mean() > 0.9


def test_a_training_on_a_gpu_goes_on_from_its_checkpoint(teacher, tmp_path):
    trained(teacher, tmp_path)
    _, again = trained(teacher, tmp_path)
    assert again.resumed_at == again.steps == 60
