"""A torch module of somebody's own, exported by torch's own exporter and served."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from evalkit.errors import ModelError
from evalkit.modelling.loading import TextClassifier
from evalkit.modelling.own_module import OwnClassifier
from evalkit.modelling.predicting import torch_logits
from evalkit.packaging.parity import compare, refuse_difference, served_logits
from evalkit.packaging.precision import Precision
from evalkit.packaging.torch_module import export_module
from serving.engine import Engine
from serving.provider import Provider
from tests.tiny_classifiers import LABELS, texts_and_labels

TEXTS = [*texts_and_labels(100, seed=4)["text"], "great", "a " * 200]


class Convolved(nn.Module):
    """Embeddings, a convolution over tokens and the masked maximum: nothing that transformers knows."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(vocabulary, 16)
        self.convolution = nn.Conv1d(16, 24, 3, padding=1)
        self.head = nn.Linear(24, len(LABELS))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        mask = attention_mask.unsqueeze(1).float()
        states = self.convolution(self.embeddings(input_ids).transpose(1, 2) * mask)
        return self.head(torch.where(mask > 0, states, -1e4).max(dim=2).values)


class Stubborn(Convolved):
    """Looks at a value to decide what to compute."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        logits = super().forward(input_ids, attention_mask)
        return logits if input_ids.sum().item() > 3 else -logits


def exported(module: nn.Module, tokenizer, folder) -> Engine:
    export_module(module, tokenizer, LABELS, folder, name="own", max_length=32, provenance={"role": "student"})
    return Engine.load(folder, provider=Provider.CPU)


def test_a_module_of_ones_own_is_served_and_answers_as_torch_does_at_every_length_and_batch(tiny_classifier, tmp_path):
    torch.manual_seed(0)
    tokenizer = tiny_classifier.tokenizer
    module = Convolved(len(tokenizer))
    engine = exported(module, tokenizer, tmp_path / "own")
    own = TextClassifier(model=OwnClassifier(module, "own"), tokenizer=tokenizer, labels=LABELS)
    for texts in (TEXTS, TEXTS[:1], TEXTS[-1:]):
        parity = compare(torch_logits(own, texts, 32), served_logits(engine, texts), Precision.FP32, "torch")
        assert refuse_difference(parity, 1e-4).label_flips == 0


def test_a_module_that_cannot_be_traced_is_named(tiny_classifier, tmp_path):
    with pytest.raises(ModelError, match="Stubborn cannot be exported"):
        exported(Stubborn(len(tiny_classifier.tokenizer)), tiny_classifier.tokenizer, tmp_path / "own")
