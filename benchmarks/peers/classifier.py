"""What every peer computes for a batch of texts: the same tokenizer file, the same session options, a softmax.

Runs in each peer's own virtual environment, so it imports nothing of the project.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer


def open_session(path: Path) -> ort.InferenceSession:
    """One thread that does not spin: every process of a server shares one core."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class Classifier:
    """A model folder, open."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(json.loads((folder / "manifest.json").read_text())["max_length"])
        self._tokenizer.enable_padding(pad_id=self._tokenizer.token_to_id("[PAD]"), pad_token="[PAD]")
        self._session = open_session(folder / "model.onnx")
        self._inputs = [item.name for item in self._session.get_inputs()]

    def feeds(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """The texts as one batch, padded to its longest: int64 [texts, tokens] by input name."""
        encoded = self._tokenizer.encode_batch_fast(list(texts))
        ids = np.array([item.ids for item in encoded], dtype=np.int64)
        mask = np.array([item.attention_mask for item in encoded], dtype=np.int64)
        known = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        return {name: known[name] for name in self._inputs}

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """float32 [texts, labels]"""
        (logits,) = self._session.run(None, self.feeds(texts))
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)
