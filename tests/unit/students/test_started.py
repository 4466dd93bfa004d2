"""Students that start from an encoder that somebody trained."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from transformers import BertConfig, BertModel

from evalkit.errors import ModelError
from evalkit.modelling.loading import load_classifier
from evalkit.modelling.mean_pooled import MeanPooledClassifier
from evalkit.spec.distill import Distill
from evalkit.students.basis import Basis
from evalkit.students.from_spec import build
from tests.tiny_classifiers import write_tiny_teacher

NEW = ("a", "b")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_teacher(tmp_path_factory.mktemp("start"), steps=1)


def started(folder, seed=1, **distill):
    return build(Basis(labels=NEW, start=folder), Distill.model_validate({"start": "start", **distill}), seed)


def test_the_body_is_kept_and_the_head_is_new_for_the_tasks_labels(folder):
    original, student = load_classifier(folder), started(folder)
    assert student.labels == NEW
    assert student.model.config.id2label == {0: "a", 1: "b"}
    for name, value in original.model.bert.state_dict().items():
        assert torch.equal(value, student.model.bert.state_dict()[name]), name
    assert student.model.classifier.weight.shape == (2, 32)


def test_a_head_for_as_many_labels_is_not_taken_over(folder):
    original = load_classifier(folder)
    student = build(Basis(labels=original.labels, start=folder), Distill(start="start"), 1)
    assert not torch.equal(student.model.classifier.weight, original.model.classifier.weight)


def test_the_seed_says_which_head_it_is(folder):
    first, again, other = (started(folder, seed).model.classifier.weight for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_its_embeddings_may_be_kept(folder):
    assert not started(folder, train_embeddings=False).model.get_input_embeddings().weight.requires_grad


def test_a_bare_bert_gets_mean_pooling(folder, tmp_path):
    tokenizer = load_classifier(folder).tokenizer
    bare = BertModel(BertConfig(vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2))
    bare.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    student = started(tmp_path)
    assert isinstance(student.model, MeanPooledClassifier)
    assert torch.equal(student.model.bert.embeddings.word_embeddings.weight, bare.embeddings.word_embeddings.weight)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), r"student\.distill\.start .* has no config.json"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "has no tokenizer.json"),
        (lambda folder: (folder / "model.safetensors").unlink(), "has no model.safetensors"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"short"), "cannot be loaded"),
        (lambda folder: _deeper(folder), "lacks weights of its encoder"),
    ],
)
def test_a_folder_that_is_no_encoder_is_refused_in_one_line(folder, tmp_path, spoil, message):
    classifier = load_classifier(folder)
    classifier.model.save_pretrained(tmp_path)
    classifier.tokenizer.save_pretrained(tmp_path)
    spoil(tmp_path)
    with pytest.raises(ModelError, match=message) as raised:
        started(tmp_path)
    assert "\n" not in str(raised.value)


def _deeper(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 5}))


def test_a_tokenizer_without_padding_is_refused(folder, tmp_path):
    classifier = load_classifier(folder)
    classifier.model.save_pretrained(tmp_path)
    tokenizer = replace(classifier).tokenizer
    tokenizer.pad_token = None
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="without a padding token"):
        started(tmp_path)
