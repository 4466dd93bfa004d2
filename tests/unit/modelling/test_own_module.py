"""A torch module of the user's own: what it must do is seen before training, and its folder holds no code."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from evalkit.errors import ModelError, SpecError
from evalkit.modelling.loading import check_classifier_folder, load_classifier
from evalkit.modelling.own_contract import checked_student
from evalkit.modelling.own_module import own_student, save_own
from evalkit.modelling.predicting import torch_logits
from evalkit.spec.own_code import own_code
from tests.own_students import BAG, CONVOLVED, POOLED
from tests.tiny_classifiers import LABELS, write_tiny_teacher

ROOT = Path(__file__).parents[3]
NAME = "student_under_test:build"
KEY = "student.distill.module"
PART = """
import random
import torch
from torch import nn

def build(tokenizer, labels):
    return Module(len(tokenizer), len(labels))

class Module(nn.Module):
    def __init__(self, vocabulary, labels):
        super().__init__()
        self.embeddings = nn.Embedding(vocabulary, 4)
        self.head = nn.Linear(4, labels)

    def forward(self, input_ids, attention_mask):
        mask = attention_mask.unsqueeze(-1).float()
        return self.head((self.embeddings(input_ids) * mask).sum(1) / mask.sum(1))
"""


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return load_classifier(write_tiny_teacher(tmp_path_factory.mktemp("teacher"), steps=1)).tokenizer


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in ("student_under_test", "pooled"):
        sys.modules.pop(name, None)


def code_of(folder, source):
    (folder / "student_under_test.py").write_text(source)
    (folder / "pooled.py").write_text(POOLED)
    return own_code(KEY, NAME, folder)


def checked(folder, source, tokenizer, *, hidden_states=False, **arguments):
    return checked_student(
        code_of(folder, source), arguments, tokenizer, LABELS, seed=3, max_length=16, hidden_states=hidden_states
    )


BUILD, CALL = "def build(tokenizer, labels):", "return Module("
EMBEDDED, HEAD, FORWARD = "nn.Embedding(vocabulary, 4)", "4, labels)", "def forward"
SUMMED, MEAN = "(self.embeddings(input_ids) * mask).sum(1)", "mask.sum(1))"
EXTRA = "def get_extra_state(self):\n        return 7\n\n    "
BROKEN = [
    (CALL, "return print or (", r"returned <built-in function print> \(builtin_function_or_method\);"),
    (BUILD, "def build(tokenizer):", r"raised TypeError when called with the arguments {}"),
    (CALL, f"raise OSError('no\\nnetwork')\n    {CALL}", r"raised OSError .*: no network; .*must"),
    (HEAD, f"{HEAD}\n        self.requires_grad_(False)", r"without a trainable parameter"),
    (HEAD, f"{HEAD}\n        self.late = nn.LazyLinear(3)", r"lazy parameters \(late.weight\)"),
    (HEAD, f"{HEAD}\n        self.head.bias.data += random.random()", r"other weights when called twice"),
    (FORWARD, EXTRA + FORWARD, r"state_dict holds _extra_state, a int"),
    (EMBEDDED, "nn.Embedding(9, 4)", r"forward raised IndexError on input_ids \[2, 16\]"),
    (EMBEDDED, "nn.Embedding(vocabulary, 4, sparse=True)", r"sparse gradients \(embeddings"),
    ("return self.head(", "return (self.head, ", r"answers tuple; its forward must return logits"),
    (HEAD, "4, labels + 1)", r"answers float32 \[2, 4\] to input_ids \[2, 16\]; return .* logits \[2, 3\]"),
    (MEAN, "mask.sum(1)).argmax(1)", r"answers int64 \[2\]"),
    (MEAN, "(mask.sum(1) - 2))", r"NaN or infinity before any training"),
    (MEAN, "mask.sum(1)).detach()", r"logits depend on no trainable weight"),
    (SUMMED, "self.embeddings(input_ids).sum(1)", r"when a longer text stands in the same batch"),
]


@pytest.mark.parametrize(("old", "new", "message"), BROKEN, ids=[message[:30] for _, _, message in BROKEN])
def test_a_module_that_does_not_keep_the_contract_is_named_with_the_remedy(tokenizer, tmp_path, old, new, message):
    assert PART.count(old) == 1
    with pytest.raises(SpecError, match=f"{KEY} {NAME} .*{message}") as raised:
        checked(tmp_path, PART.replace(old, new), tokenizer)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 2


def test_a_module_that_keeps_it_starts_the_same_from_the_same_seed_and_leaves_torchs_generator_alone(
    tokenizer, tmp_path
):
    code = code_of(tmp_path, BAG)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = (own_student(code, {"width": 8}, tokenizer, LABELS, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    one, two, three = (each.model.module.embeddings.weight for each in (first, again, other))
    assert torch.equal(one, two)
    assert not torch.equal(one, three)
    assert one.shape[1] == 8


def test_hidden_states_are_asked_for_where_an_objective_reads_them(tokenizer, tmp_path):
    student = checked(tmp_path, CONVOLVED, tokenizer, hidden_states=True, width=8)
    assert (student.model.hidden.layers, student.model.hidden.width) == (2, 8)
    assert checked(tmp_path, CONVOLVED, tokenizer, width=8).model.hidden is None
    with pytest.raises(SpecError, match=r"without hidden states .* or use response objectives"):
        checked(tmp_path, BAG, tokenizer, hidden_states=True)


@pytest.fixture
def saved(tokenizer, tmp_path):
    """A folder with other weights than the function starts from."""
    code = code_of(tmp_path, BAG)
    student = own_student(code, {"width": 8}, tokenizer, LABELS, seed=1)
    with torch.no_grad():
        student.model.module.head.weight += 1.0
    save_own(student, code, {"width": 8}, 1, tmp_path / "saved")
    return student


def test_a_saved_module_is_opened_again_through_its_function_and_answers_the_same(saved, tmp_path):
    folder = tmp_path / "saved"
    assert not list(folder.glob("*.py"))
    assert check_classifier_folder(folder, NAME) == LABELS
    opened = load_classifier(folder, code=own_code(KEY, NAME, tmp_path))
    texts = ["great table", "sad", "the very slow street " * 9]
    np.testing.assert_array_equal(torch_logits(opened, texts, 16), torch_logits(saved, texts, 16))
    assert not opened.model.training


def test_a_folder_may_not_choose_which_code_is_run(saved, tmp_path):
    folder = tmp_path / "saved"
    with pytest.raises(ModelError, match=r"made by student_under_test:build; give the ONNX folder"):
        load_classifier(folder)
    (folder / "student_under_test.py").write_text("raise SystemExit('code of the folder was run')")
    stated = json.loads((folder / "module.json").read_text())
    (folder / "module.json").write_text(json.dumps(stated | {"function": "os:system"}))
    with pytest.raises(ModelError, match=r"made by os:system, and gate\.yaml names student_under_test:build"):
        load_classifier(folder, code=own_code(KEY, NAME, tmp_path))
    (folder / "module.json").write_text(json.dumps(stated))
    load_classifier(folder, code=own_code(KEY, NAME, tmp_path))


def test_weights_that_do_not_fit_changed_code_are_refused_with_the_reason(saved, tmp_path):
    folder = tmp_path / "saved"
    changed = code_of(tmp_path, BAG.replace("self.head", "self.top"))
    with pytest.raises(
        ModelError, match=r"does not fit .*: its code was changed since the training; restore it"
    ) as raised:
        load_classifier(folder, code=changed)
    assert "\n" not in str(raised.value)
    code = code_of(tmp_path, BAG)
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-100])
    with pytest.raises(ModelError, match=r"does not fit .*: it is damaged"):
        load_classifier(folder, code=code)


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [('{"format": 2}', r"module\.json: function: Field required"), ("{", r"module\.json: .*; train the student again")],
)
def test_a_damaged_module_file_is_named(saved, tmp_path, spoilt, message):
    (tmp_path / "saved" / "module.json").write_text(spoilt)
    with pytest.raises(ModelError, match=message):
        check_classifier_folder(tmp_path / "saved", NAME)


def test_the_module_of_the_documentation_keeps_the_contract(tokenizer, tmp_path):
    text = (ROOT / "docs" / "distillation.md").read_text(encoding="utf-8")
    source = text[text.index("## A student of your own") :].split("```python\n")[1].split("```")[0]
    student = checked(tmp_path, source, tokenizer, width=8)
    assert type(student.model.module).__name__ == "Convolved"
