"""Set-ups that would teach nothing, or nonsense, are refused before the first step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import BertConfig

from evalkit.errors import InvalidComparison, SpecError
from evalkit.modelling.loading import TextClassifier, load_classifier
from evalkit.modelling.mean_pooled import MeanPooledClassifier
from evalkit.spec.distill import (
    Answers,
    FeatureAttention,
    FeatureHidden,
    Hard,
    RelationMinilm,
    RelationRkd,
    ResponseDkd,
    ResponseKl,
)
from evalkit.students.distil import distil
from evalkit.students.lesson import Lesson
from evalkit.students.refusals import doubts, layer_pairs
from evalkit.students.schedule import Schedule
from tests.tiny_classifiers import LABELS, write_tiny_teacher

SCHEDULE = Schedule(epochs=1, learning_rate=1e-3, batch_rows=4, max_length=16, seed=1)
SOFT = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]] * 4, dtype=np.float32)
LESSON = Lesson(texts=["great", "sad"] * 4, probabilities=SOFT, labels=np.array([2, 0] * 4))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_teacher(tmp_path_factory.mktemp("teacher"), steps=1)


@pytest.fixture(scope="module")
def teacher(folder):
    return load_classifier(folder, attention="eager")


def small(teacher, width=16, layers=2, labels=LABELS):
    config = BertConfig(
        vocab_size=len(teacher.tokenizer), hidden_size=width, num_hidden_layers=layers, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=32, id2label=dict(enumerate(labels)), attn_implementation="eager",
    )  # fmt: skip
    return TextClassifier(model=MeanPooledClassifier(config).eval(), tokenizer=teacher.tokenizer, labels=labels)


def refused(match, objective, student, teacher, lesson=LESSON, error=SpecError, schedule=SCHEDULE):
    before = {name: value.clone() for name, value in student.model.state_dict().items()}
    with pytest.raises(error, match=match) as raised:
        distil(student, lesson, [objective], schedule, lambda _: None, teacher)
    assert "\n" not in str(raised.value)
    assert all(torch.equal(value, before[name]) for name, value in student.model.state_dict().items())


def test_decoupled_distillation_of_two_labels_is_refused(teacher):
    two = Lesson(texts=["a"] * 4, probabilities=np.full((4, 2), 0.5, dtype=np.float32), labels=np.zeros(4, dtype=int))
    refused(r"response.dkd needs three labels or more", ResponseDkd(), small(teacher, labels=("a", "b")), None, two)


@pytest.mark.parametrize("objective", [ResponseKl(), ResponseDkd()])
def test_answers_are_not_taken_for_probabilities(teacher, objective):
    answers = replace(LESSON, probabilities=np.eye(3, dtype=np.float32)[[0, 2] * 4])
    refused(
        r"needs probabilities, and every .* is 0 or 1; use \{objective: answers\}",
        objective,
        small(teacher),
        None,
        answers,
    )
    distil(small(teacher), answers, [Answers()], SCHEDULE, lambda _: None)


def test_a_table_without_a_true_label_cannot_be_learnt_by_true_labels(teacher):
    refused(r"hard needs true labels", Hard(), small(teacher), None, replace(LESSON, labels=np.full(8, -1)))


@pytest.mark.parametrize("objective", [FeatureHidden(), FeatureAttention(), RelationRkd(), RelationMinilm()])
def test_what_happens_inside_a_teacher_cannot_be_learnt_without_one(teacher, objective):
    refused(rf"{objective.objective} reads what happens inside the teacher; give", objective, small(teacher), None)


@pytest.mark.parametrize("objective", [FeatureHidden(), RelationMinilm(relation_heads=4)])
def test_teacher_and_student_with_different_tokenizers_are_refused(teacher, tmp_path, objective):
    other = load_classifier(write_tiny_teacher(tmp_path, steps=1)).tokenizer
    other.add_tokens(["newest"])
    student = replace(small(teacher), tokenizer=other)
    refused(rf"{objective.objective} needs one tokenizer", objective, student, teacher)


def test_an_equal_tokenizer_of_another_folder_is_no_other_tokenizer(teacher, folder):
    student = replace(small(teacher), tokenizer=load_classifier(folder).tokenizer)
    student.tokenizer(["a b"], truncation=True, max_length=8)
    distil(student, LESSON, [RelationRkd()], SCHEDULE, lambda _: None, teacher)


@pytest.mark.parametrize("objective", [FeatureHidden, FeatureAttention])
@pytest.mark.parametrize(
    ("pair", "message"),
    [({2: 0}, "layer 2 of the student, which has 2"), ({0: 3}, "layer 3 of the teacher, which has 3")],
)
def test_layers_that_do_not_exist_are_refused(teacher, objective, pair, message):
    refused(message, objective(layers=pair), small(teacher), teacher)


@pytest.mark.parametrize(
    ("mine", "its", "expected"),
    [(2, 3, {0: 0, 1: 2}), (1, 3, {0: 2}), (3, 3, {0: 0, 1: 1, 2: 2}), (4, 3, {0: 0, 1: 0, 2: 1, 3: 2})],
)
def test_layers_are_spread_evenly_where_they_are_not_named(teacher, mine, its, expected):
    pairs = layer_pairs("feature.hidden", None, small(teacher, layers=mine), small(teacher, layers=its))
    assert pairs == expected


@pytest.mark.parametrize(("heads", "side"), [(5, "teacher's width 32"), (32, "student's width 16")])
def test_relation_heads_that_do_not_divide_a_width_are_refused(teacher, heads, side):
    refused(
        rf"relation_heads {heads}, which does not divide the {side}",
        RelationMinilm(relation_heads=heads),
        small(teacher),
        teacher,
    )


def test_a_teacher_in_training_mode_is_refused(folder):
    awake = load_classifier(folder)
    awake.model.train()
    refused(r"the teacher is in training mode", RelationRkd(), small(awake), awake, error=InvalidComparison)


def test_a_teacher_with_its_labels_in_another_order_is_refused(teacher):
    student = small(teacher, labels=LABELS[::-1])
    refused(r"same labels in the same order", RelationRkd(), student, teacher, error=InvalidComparison)


def test_outputs_of_a_teacher_with_other_labels_are_refused(teacher):
    student = small(teacher, labels=("a", "b"))
    refused(r"outputs have 3 columns and the student 2 labels", ResponseKl(), student, None, error=InvalidComparison)


def test_attention_that_is_not_kept_is_refused(folder, teacher):
    refused(r"feature.attention reads attention, .* sdpa", FeatureAttention(), small(teacher), load_classifier(folder))


def test_more_rows_a_batch_than_can_be_compared_by_threes_are_refused(teacher):
    refused(r"batch_rows is 513", RelationRkd(), small(teacher), teacher, schedule=replace(SCHEDULE, batch_rows=513))


def test_a_high_temperature_with_a_teacher_that_is_never_sure_is_doubted():
    (doubt,) = doubts([ResponseKl(temperature=8), ResponseKl(temperature=2), Hard()], LESSON)
    assert doubt.startswith("response.kl has temperature 8, and this teacher is almost never surer than 0.80")
    sure = replace(LESSON, probabilities=np.array([[0.99, 0.005, 0.005]] * 8, dtype=np.float32))
    assert doubts([ResponseKl(temperature=8)], sure) == []
