"""Every objective, trained a few steps on a tiny teacher's answers to real texts."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
)

from evalkit.data.dataset import training_rows
from evalkit.modelling.batches import pad, tokenise
from evalkit.modelling.loading import TextClassifier, load_classifier
from evalkit.modelling.predicting import torch_logits
from evalkit.spec.distill import Distill, Objective
from evalkit.spec.gate import Columns
from evalkit.students.architecture import cut_from_teacher, small_encoder
from evalkit.students.building import loss_of
from evalkit.students.distil import distil
from evalkit.students.from_spec import distil_into
from evalkit.students.lesson import Lesson
from evalkit.students.loss import Batch
from evalkit.students.schedule import Schedule
from evalkit.students.training import train
from tests.tiny_classifiers import LABELS, texts_and_labels, write_tiny_teacher

EACH = [
    {"objective": "response.kl", "temperature": 2.0},
    {"objective": "response.dkd", "temperature": 2.0, "beta": 2.0},
    {"objective": "feature.hidden"},
    {"objective": "feature.hidden", "layers": {0: 1, 1: 2}, "distance": "cosine"},
    {"objective": "feature.attention"},
    {"objective": "relation.rkd"},
    {"objective": "relation.minilm", "relation_heads": 4},
    {"objective": "hard"},
    {"objective": "answers"},
    {"objective": "answers", "votes": True},
]


def objectives(*stated):
    return TypeAdapter(tuple[Objective, ...]).validate_python(list(stated))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_teacher(tmp_path_factory.mktemp("teacher"), steps=60)


@pytest.fixture(scope="module")
def teacher(folder):
    return load_classifier(folder, attention="eager")


@pytest.fixture(scope="module")
def lesson(teacher):
    rows = texts_and_labels(160, seed=3)
    probabilities = torch.softmax(torch.from_numpy(torch_logits(teacher, rows["text"].tolist(), 32)), -1).numpy()
    labels = np.array([LABELS.index(label) for label in rows["label"]], dtype=np.int64)
    return Lesson(texts=rows["text"].tolist(), probabilities=probabilities, labels=labels)


def fresh(teacher):
    return small_encoder(teacher, layers=2, width=16, heads=2, max_length=32, seed=1)


def schedule(**changes):
    return Schedule(**{"epochs": 3, "learning_rate": 3e-3, "batch_rows": 16, "max_length": 32, "seed": 5} | changes)


def batch_of(classifier, lesson, asks, rows=8):
    ids = tokenise(classifier.tokenizer, lesson.texts[:rows], 32)
    inputs = pad(ids, classifier.tokenizer.pad_token_id)
    outputs = classifier.model(**inputs, **dict.fromkeys(asks, True))
    return Batch(rows=np.arange(rows), inputs=inputs, outputs=outputs)


@pytest.mark.parametrize("stated", EACH, ids=lambda each: " ".join(map(str, each.values())))
def test_a_few_steps_make_an_objectives_own_term_smaller(teacher, lesson, stated):
    seen = []
    distil(fresh(teacher), lesson, objectives(stated), schedule(epochs=5, learning_rate=8e-3), seen.append, teacher)
    assert seen[-1].loss < 0.9 * seen[0].loss


def test_every_objective_together_is_the_sum_of_all_terms_times_their_weights(teacher, lesson):
    student, unlabelled = fresh(teacher).model.eval(), replace(lesson, labels=np.full(160, -1))
    classifier = TextClassifier(model=student, tokenizer=teacher.tokenizer, labels=teacher.labels)

    def terms(table, *stated):
        with ExitStack() as after:
            loss = loss_of(objectives(*stated), classifier, teacher, table, 1, after)
            return loss(batch_of(classifier, table, loss.asks))

    for table in (lesson, unlabelled):
        alone = [terms(table, each) for each in EACH]
        doubled = terms(table, *({**each, "weight": 2.0} for each in EACH))
        expected = [2.0 * value for each in alone for value in each.values()]
        torch.testing.assert_close(list(doubled.values()), expected)
    assert "answers (10)" in doubled
    assert doubled["hard"].item() == 0.0


def test_the_teacher_is_run_once_a_batch_without_gradient_and_is_left_as_it_was(teacher, lesson):
    before = {name: value.clone() for name, value in teacher.model.state_dict().items()}
    calls = []
    hook = teacher.model.register_forward_hook(lambda *_: calls.append(torch.is_grad_enabled()))
    both = objectives(
        {"objective": "feature.hidden"}, {"objective": "relation.rkd"}, {"objective": "feature.attention"}
    )
    distil(fresh(teacher), lesson, both, schedule(epochs=1), lambda _: None, teacher)
    hook.remove()
    assert calls == [False] * 10
    assert not teacher.model.training
    for name, value in teacher.model.state_dict().items():
        assert torch.equal(value, before[name])


def test_the_maps_of_hidden_states_are_trained_with_the_student(teacher, lesson):
    student = fresh(teacher)
    loss = loss_of(objectives({"objective": "feature.hidden"}), student, teacher, lesson, 1, ExitStack())
    before = [weights.detach().clone() for weights in loss.modules.parameters()]
    train(student, lesson.texts, loss, schedule(epochs=1), lambda _: None)
    assert [tuple(weights.shape) for weights in before] == [(32, 16), (32, 16)]
    assert not any(torch.equal(old, new) for old, new in zip(before, loss.modules.parameters(), strict=True))


def test_a_student_cut_from_its_teacher_starts_with_maps_that_change_nothing(teacher, lesson):
    student = cut_from_teacher(teacher, [0, 1, 2])
    with ExitStack() as after:
        stated = [each for each in EACH if each["objective"].startswith(("feature", "relation"))]
        stated[1] = {"objective": "feature.hidden"}
        loss = loss_of(objectives(*stated), student, teacher, lesson, 1, after)
        for value in loss(batch_of(student, lesson, loss.asks)).values():
            assert value.item() == pytest.approx(0.0, abs=1e-5)


def test_hooks_are_taken_off_both_models_after_training(teacher, lesson):
    student = fresh(teacher)
    minilm = objectives({"objective": "relation.minilm", "relation_heads": 4})
    distil(student, lesson, minilm, schedule(epochs=1), lambda _: None, teacher)
    for classifier in (student, teacher):
        assert not any(module._forward_hooks for module in classifier.model.modules())


def bert(labels):
    config = BertConfig(
        vocab_size=64,
        hidden_size=24,
        num_hidden_layers=3,
        num_attention_heads=3,
        intermediate_size=32,
        num_labels=labels,
    )
    config._attn_implementation = "eager"
    return BertForSequenceClassification(config)


def distilbert(labels):
    config = DistilBertConfig(vocab_size=64, dim=24, n_layers=3, n_heads=3, hidden_dim=32, num_labels=labels)
    config._attn_implementation = "eager"
    return DistilBertForSequenceClassification(config)


@pytest.mark.parametrize("family", [bert, distilbert])
def test_other_families_of_models_teach_and_learn_as_well(teacher, lesson, family):
    torch.manual_seed(0)
    strange, student = (
        TextClassifier(model=family(3).eval(), tokenizer=teacher.tokenizer, labels=LABELS) for _ in range(2)
    )
    stated = [{**each, "relation_heads": 4} if "minilm" in each["objective"] else each for each in EACH]
    short = Lesson(texts=lesson.texts[:32], probabilities=lesson.probabilities[:32], labels=lesson.labels[:32])
    trained = distil(student, short, objectives(*stated), schedule(epochs=1), lambda _: None, strange)
    assert min(trained.terms.values()) > 0


def test_a_spec_with_every_objective_is_distilled_from_the_teachers_folder(folder, lesson, tmp_path):
    rows = texts_and_labels(160, seed=3)
    stated = {"encoder": {"layers": 2, "width": 16, "heads": 2, "embeddings": "pca"}, "epochs": 1, "batch_rows": 16}
    training = distil_into(
        tmp_path / "student",
        teacher_folder=folder,
        rows=training_rows(rows, Columns(), LABELS),
        task_labels=LABELS,
        teacher_probabilities=lesson.probabilities,
        distill=Distill.model_validate(stated | {"objectives": EACH}),
        seed=3,
        on_progress=lambda *_: None,
    )
    assert training["objectives"].startswith("response.kl, response.dkd, feature.hidden, feature.hidden, feature.att")
    assert "warnings" not in training
    assert load_classifier(tmp_path / "student").labels == LABELS
