"""Writes a real, tiny text classifier: an ONNX graph and a tokenizer, without training anything.

The logits are the masked mean of the words' embeddings times a matrix, so that padding must be masked for an
answer to be right; "bad", "plain" and "good" pull to the first, middle and last label.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from serving.manifest import MODEL_FILE, TOKENIZER_FILE, write_manifest

LABELS = ("negative", "neutral", "positive")
MAX_LENGTH = 16
OPSET = 17
POISON = "poison"
_WIDTH = 8
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_WORDS = ("good", "bad", "plain", "film", "day", "a", "the", "very", "not", "service", "slow", "quick")
VOCABULARY = {word: index for index, word in enumerate((*_SPECIAL, *_WORDS, POISON))}


def write_tiny_model_folder(folder: Path, labels: Sequence[str] = LABELS, seed: int = 0) -> Path:
    """Write model, tokenizer and manifest; returns `folder`.

    The seed decides the weights. The word "poison" has infinite weights, so a text with it has no finite
    logits and fails alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_tiny_model(folder / MODEL_FILE, outputs=len(labels), seed=seed)
    write_tiny_tokenizer(folder / TOKENIZER_FILE)
    write_manifest(
        folder,
        name="tiny",
        labels=labels,
        max_length=MAX_LENGTH,
        precision="fp32",
        opset=OPSET,
        provenance={"made_by": "tests/model_folders.py", "seed": seed},
    )
    return folder


def write_tiny_tokenizer(path: Path) -> None:
    """A word-level tokenizer with special tokens and padding, saved as `tokenizer.json`."""
    tokenizer = Tokenizer(models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(token, VOCABULARY[token]) for token in ("[CLS]", "[SEP]")]
    )
    tokenizer.enable_padding(pad_id=VOCABULARY["[PAD]"], pad_token="[PAD]")
    tokenizer.save(str(path))


def write_tiny_model(path: Path, *, outputs: int, seed: int = 0) -> None:
    """`logits = (Σ mask·embedding ÷ Σ mask) · weight + bias` for int64 input_ids and attention_mask."""
    rng = np.random.default_rng(seed)
    embedding = rng.normal(size=(len(VOCABULARY), _WIDTH)).astype(np.float32)
    embedding[VOCABULARY["[PAD]"]] = 1e3  # a mask that is ignored cannot go unnoticed
    embedding[VOCABULARY[POISON]] = np.inf
    weight = rng.normal(size=(_WIDTH, outputs)).astype(np.float32)
    for word, label in (("bad", 0), ("plain", outputs // 2), ("good", -1)):
        embedding[VOCABULARY[word]] = 6 * weight[:, label]
    weights = {
        "embedding": embedding,
        "weight": weight,
        "bias": rng.normal(size=outputs).astype(np.float32),
        "last_axis": np.array([2], dtype=np.int64),
        "token_axis": np.array([1], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["embedding", "input_ids"], ["words"]),
        helper.make_node("Cast", ["attention_mask"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["real", "last_axis"], ["mask"]),
        helper.make_node("Mul", ["words", "mask"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "token_axis"], ["total"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "token_axis"], ["count"], keepdims=0),
        helper.make_node("Div", ["total", "count"], ["mean"]),
        helper.make_node("MatMul", ["mean", "weight"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["rows", "tokens"])
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", outputs])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
