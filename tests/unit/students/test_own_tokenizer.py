"""A tokenizer of the student's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from evalkit.data.dataset import training_rows
from evalkit.modelling.loading import load_classifier
from evalkit.modelling.predicting import torch_logits
from evalkit.spec.distill import Distill
from evalkit.spec.gate import Columns
from evalkit.students.basis import Basis
from evalkit.students.from_spec import build, distil_into
from evalkit.students.own_tokenizer import own_tokenizer, trained_bpe
from tests.tiny_classifiers import LABELS, texts_and_labels, write_tiny_teacher

TEXTS = texts_and_labels(200, seed=3)["text"].tolist()
OWN = Distill.model_validate({"encoder": {"layers": 1, "width": 8, "heads": 2, "tokenizer": "own", "vocabulary": 400}})


@pytest.fixture(scope="module")
def tokenizer():
    return own_tokenizer(TEXTS, 400)


@pytest.mark.parametrize("text", ["the great table", "schöne Grüße", "日本語のテキスト 🎉", "\x00\ttab"])
def test_every_text_can_be_written_in_it_also_in_scripts_that_it_never_saw(tokenizer, text):
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids, skip_special_tokens=True).strip() == text.lower().strip()


def test_it_has_at_most_the_stated_tokens_and_writes_frequent_words_as_one(tokenizer):
    assert len(tokenizer) <= 400
    assert len(own_tokenizer(["a b"], 8000)) < 300
    own = own_tokenizer(["a very good day"] * 9, 300)
    assert own.convert_ids_to_tokens(own("Very good")["input_ids"]) == ["[CLS]", "Ġvery", "Ġgood", "[SEP]"]


def test_it_comes_back_as_it_was_saved(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    assert AutoTokenizer.from_pretrained(tmp_path)(TEXTS)["input_ids"] == tokenizer(TEXTS)["input_ids"]


def test_the_same_texts_give_the_same_tokenizer_in_another_process():
    code = (
        "import json, sys; from evalkit.students.own_tokenizer import trained_bpe; "
        "sys.stdout.write(trained_bpe(json.load(sys.stdin), 400).to_str())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "RAYON_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(TEXTS),
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert done.stdout == trained_bpe(TEXTS, 400).to_str()


def test_a_student_with_its_own_tokenizer_needs_no_teacher_and_numbers_the_labels_as_the_task_does():
    student = build(Basis(labels=LABELS, texts=TEXTS), OWN, 1)
    assert student.labels == LABELS
    assert student.model.config.vocab_size == len(student.tokenizer) <= 400


def test_a_teacher_that_lies_here_teaches_a_student_with_its_own_tokenizer_too(tmp_path):
    """Response objectives alone need no common tokens; the labels keep the teacher's order."""
    teacher = write_tiny_teacher(tmp_path / "teacher", labels=LABELS[::-1], steps=60)
    rows = training_rows(texts_and_labels(320, seed=3), Columns(), LABELS)
    logits = torch.from_numpy(torch_logits(load_classifier(teacher), rows.texts, 32))
    shape = {"layers": 1, "width": 32, "heads": 2, "tokenizer": "own", "vocabulary": 400}
    facts = distil_into(
        tmp_path / "weights",
        teacher_folder=teacher,
        rows=rows,
        task_labels=LABELS,
        teacher_probabilities=torch.softmax(logits, -1).numpy(),
        distill=Distill.model_validate({"encoder": shape, "epochs": 5, "learning_rate": 5e-3, "batch_rows": 16}),
        seed=1,
        on_progress=lambda *_: None,
    )
    student = load_classifier(tmp_path / "weights")
    assert student.labels == LABELS[::-1]
    assert facts["vocabulary"] == len(student.tokenizer) == 400
    new = texts_and_labels(200, seed=9)
    said = np.asarray(student.labels)[torch_logits(student, new["text"].tolist(), 32).argmax(1)]
    assert (said == new["label"]).mean() > 0.9
