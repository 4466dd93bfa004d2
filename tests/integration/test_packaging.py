"""From a Hugging Face folder to a served model folder, with real torch, optimum and ONNX Runtime."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from evalkit.errors import ModelError, StageError
from evalkit.modelling.loading import check_classifier_folder, load_classifier, save_classifier
from evalkit.modelling.predicting import torch_logits
from evalkit.packaging.export import check_parity, export, open_engine
from tests.tiny_classifiers import LABELS, texts_and_labels, write_tiny_teacher


@pytest.fixture(scope="module")
def teacher_folder(tmp_path_factory):
    return write_tiny_teacher(tmp_path_factory.mktemp("teacher"), steps=20)


@pytest.fixture
def copy(teacher_folder, tmp_path):
    return shutil.copytree(teacher_folder, tmp_path / "copy")


@pytest.fixture(scope="module")
def texts():
    return texts_and_labels(200, seed=4)["text"].tolist()


def exported(classifier, folder, max_length=32):
    export(classifier, folder, name="tiny", max_length=max_length, provenance={"role": "teacher"})
    return open_engine(folder, "cpu", 1)


def test_the_exported_file_answers_as_torch_does_at_every_length_and_batch(teacher_folder, texts, tmp_path):
    classifier = load_classifier(teacher_folder)
    engine = exported(classifier, tmp_path / "model")
    longest = [*texts, "a " * 200, "great"]
    expected = torch_logits(classifier, longest, 32)
    for rows in (longest, longest[:1], longest[-1:]):
        served = engine.logits(engine.encode(rows))
        np.testing.assert_allclose(served, expected[[longest.index(row) for row in rows]], atol=1e-4)
    assert engine.labels == LABELS
    parity = check_parity(classifier, engine, texts, 32, 1e-3)
    assert parity.label_flips == 0
    assert parity.largest_logit_difference < 1e-4


def test_stock_classifiers_of_transformers_are_exported_too(teacher_folder, texts, tmp_path):
    from transformers import BertConfig, BertForSequenceClassification

    own = load_classifier(teacher_folder)
    config = BertConfig.from_pretrained(teacher_folder)
    save_classifier(BertForSequenceClassification(config), own.tokenizer, tmp_path / "stock")
    stock = load_classifier(tmp_path / "stock")
    assert type(stock.model).__name__ == "BertForSequenceClassification"
    check_parity(stock, exported(stock, tmp_path / "model"), texts, 32, 1e-3)


def test_an_export_that_answers_otherwise_is_an_error_with_the_difference(teacher_folder, texts, tmp_path):
    classifier = load_classifier(teacher_folder)
    engine = exported(classifier, tmp_path / "model")
    classifier.model.classifier.bias.data[0] += 0.5
    with pytest.raises(StageError, match=r"logits differ from torch's by 0.5 on 200 texts .* allows 0.001"):
        check_parity(classifier, engine, texts, 32, 1e-3)


def test_pickled_weights_are_refused_unopened(copy):
    (copy / "model.safetensors").unlink()
    (copy / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    with pytest.raises(ModelError, match=r"pickled weights \(pytorch_model.bin\), which can run code"):
        load_classifier(copy)


def test_truncated_weights_are_named(copy):
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ModelError, match=r"cannot be loaded .* truncated or damaged"):
        load_classifier(copy)


def test_weights_without_a_head_are_no_classifier(copy):
    from safetensors.torch import load_file, save_file

    weights = {name: value for name, value in load_file(copy / "model.safetensors").items() if "classifier" not in name}
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks weights of a classifier .*fine-tune it first"):
        load_classifier(copy)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), "has no config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "is not valid JSON"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "has no tokenizer.json"),
        (lambda folder: (folder / "model.safetensors").unlink(), "has no model.safetensors"),
        (lambda folder: shutil.rmtree(folder), "is not a folder"),
    ],
)
def test_what_a_model_folder_lacks_is_named(copy, spoil, message):
    spoil(copy)
    with pytest.raises(ModelError, match=message):
        check_classifier_folder(copy)


def test_labels_that_are_not_numbered_from_zero_are_refused(copy):
    config = json.loads((copy / "config.json").read_text())
    config["id2label"] = {"0": "a", "2": "b"}
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"id2label must number labels 0..1"):
        check_classifier_folder(copy)
