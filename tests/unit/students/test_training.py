"""Students: architectures and the training loop, on a tiny teacher."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from evalkit.errors import InvalidComparison, SpecError, StageError
from evalkit.modelling.loading import load_classifier
from evalkit.modelling.mean_pooled import parameters
from evalkit.modelling.predicting import torch_logits
from evalkit.spec.distill import Distill, ResponseKl
from evalkit.students.architecture import cut_from_teacher, small_encoder
from evalkit.students.basis import Basis
from evalkit.students.distil import distil
from evalkit.students.from_spec import build, in_order_of
from evalkit.students.lesson import Lesson
from evalkit.students.schedule import Schedule
from tests.tiny_classifiers import LABELS, texts_and_labels, write_tiny_teacher

OBJECTIVE = (ResponseKl(temperature=2.0, soft_weight=0.9, hard_weight=0.1),)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return load_classifier(write_tiny_teacher(tmp_path_factory.mktemp("teacher"), steps=60))


@pytest.fixture(scope="module")
def training(teacher):
    rows = texts_and_labels(320, seed=3)
    logits = torch.from_numpy(torch_logits(teacher, rows["text"].tolist(), 32))
    labels = np.array([LABELS.index(label) for label in rows["label"]], dtype=np.int64)
    labels[200:] = -1
    return Lesson(texts=rows["text"].tolist(), probabilities=torch.softmax(logits, -1).numpy(), labels=labels)


def schedule(**changes):
    return Schedule(**{"epochs": 3, "learning_rate": 1e-3, "batch_rows": 16, "max_length": 32, "seed": 5} | changes)


def agreement(student, teacher, seed=9):
    texts = texts_and_labels(300, seed=seed)["text"].tolist()
    return (torch_logits(student, texts, 32).argmax(1) == torch_logits(teacher, texts, 32).argmax(1)).mean()


def test_a_cut_student_keeps_the_named_layers_and_leaves_the_teacher_whole(teacher):
    student = cut_from_teacher(teacher, [0, 2])
    kept = student.model.bert.encoder.layer
    assert len(kept) == 2
    assert len(teacher.model.bert.encoder.layer) == 3
    originals = teacher.model.bert.encoder.layer
    for layer, original in zip(kept, (originals[0], originals[2]), strict=True):
        torch.testing.assert_close(layer.output.dense.weight, original.output.dense.weight)
    assert kept[0].output.dense.weight is not originals[0].output.dense.weight
    assert student.model.config.num_hidden_layers == 2


@pytest.mark.parametrize("layers", [[], [3], [2, 0], [0, 0], [-1]])
def test_layers_that_the_teacher_does_not_have_are_refused(teacher, layers):
    with pytest.raises(SpecError, match=r"student.distill.cut_layers is .*teacher's 3 layers"):
        cut_from_teacher(teacher, layers)


def test_a_small_encoder_has_the_stated_shape_and_the_teachers_labels(teacher):
    student = small_encoder(teacher, layers=2, width=16, heads=2, max_length=32, seed=1)
    assert (student.model.config.num_hidden_layers, student.model.config.hidden_size) == (2, 16)
    assert student.labels == teacher.labels
    assert parameters(student.model) < parameters(teacher.model)


def test_the_spec_chooses_the_architecture(teacher):
    assert (
        len(build(Basis(labels=teacher.labels, teacher=teacher), Distill(cut_layers=(1,)), 1).model.bert.encoder.layer)
        == 1
    )
    small = Distill.model_validate({"encoder": {"layers": 1, "width": 8, "heads": 2}})
    assert build(Basis(labels=teacher.labels, teacher=teacher), small, 1).model.config.hidden_size == 8


def test_embeddings_are_kept_as_the_teachers_where_the_spec_says_so(teacher, training):
    original = teacher.model.get_input_embeddings().weight.detach()
    for trained in (True, False):
        student = build(
            Basis(labels=teacher.labels, teacher=teacher), Distill(cut_layers=(0,), train_embeddings=trained), 1
        )
        distil(student, training, OBJECTIVE, schedule(epochs=1), lambda _: None)
        assert torch.equal(student.model.get_input_embeddings().weight, original) is not trained


def test_distillation_brings_the_student_closer_to_its_teacher(teacher, training):
    student = cut_from_teacher(teacher, [0])
    before = agreement(student, teacher)
    distil(student, training, OBJECTIVE, schedule(), lambda _: None)
    assert agreement(student, teacher) > max(before, 0.9)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(teacher, training):
    def weights(seed):
        student = cut_from_teacher(teacher, [0])
        distil(student, training, OBJECTIVE, schedule(epochs=1, seed=seed), lambda _: None)
        return student.model.classifier.weight.detach()

    torch.testing.assert_close(weights(5), weights(5), rtol=0, atol=0)
    assert not torch.equal(weights(5), weights(6))


def test_progress_counts_every_step_to_the_end(teacher, training):
    seen = []
    distil(cut_from_teacher(teacher, [0]), training, OBJECTIVE, schedule(epochs=2), seen.append)
    assert seen[-1].step == seen[-1].steps == 2 * 20


def test_a_loss_that_is_not_finite_stops_and_names_the_step(teacher, training):
    broken = replace(training, probabilities=np.full_like(training.probabilities, np.nan))
    with pytest.raises(StageError, match=r"step 1 of 60: loss is nan \(response\.kl\) on rows \d+, .* and 8 more;"):
        distil(cut_from_teacher(teacher, [0]), broken, OBJECTIVE, schedule(), lambda _: None)


def test_teacher_outputs_of_another_table_are_refused(teacher, training):
    with pytest.raises(StageError, match=r"319 training texts, 320 teacher outputs and 320 labels do not pair up"):
        replace(training, texts=training.texts[1:])


def test_labels_are_numbered_as_the_model_numbers_them():
    numbered = in_order_of(("b", "a", "c"), ("a", "b", "c"), np.array([0, 1, 2, -1]))
    assert numbered.tolist() == [1, 0, 2, -1]
    with pytest.raises(InvalidComparison, match=r"task.labels names d, which the teacher never saw"):
        in_order_of(("a", "b"), ("a", "d"), np.array([0]))
