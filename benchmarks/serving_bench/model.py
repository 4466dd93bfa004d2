"""The model that every server serves: a small BERT with random weights, its tokenizer, and texts to classify."""

from __future__ import annotations

import logging
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.claims import ROOT
from evalkit.packaging.export import OPSET, export
from evalkit.packaging.precision import Precision, write_variant
from serving.manifest import MODEL_FILE, TOKENIZER_FILE, write_manifest

LABELS = ("negative", "neutral", "positive")
MAX_LENGTH = 128
VOCABULARY = 2000
TOKENS = (28, 37)  # of a text, special ones included: 32 on average
_READ = ("README.md", "docs/*.md", "docs/adr/*.md", "examples/*/README.md")
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def corpus() -> list[str]:
    """The words of the project's own documents, in order."""
    files = sorted(path for pattern in _READ for path in ROOT.glob(pattern))
    return [word for path in files for word in re.findall(r"[a-z]+", path.read_text(encoding="utf-8").lower())]


def train_tokenizer(words: list[str]) -> Any:
    """A WordPiece ``tokenizers.Tokenizer`` of the words."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=VOCABULARY, special_tokens=list(_SPECIAL), show_progress=False)
    tokenizer.train_from_iterator(words, trainer)
    tokenizer.post_processor = processors.BertProcessing(
        *((token, tokenizer.token_to_id(token)) for token in ("[SEP]", "[CLS]"))
    )
    return tokenizer


def make_texts(tokenizer: Any, words: list[str], count: int, seed: int) -> list[str]:
    """``count`` pieces of the corpus, each of TOKENS tokens or hardly more."""
    rng = np.random.default_rng(seed)
    lengths = {word: len(tokenizer.encode(word, add_special_tokens=False).ids) for word in set(words)}
    texts = []
    for wanted in rng.integers(*TOKENS, size=count):
        first = at = int(rng.integers(len(words) - wanted))
        tokens = 2
        while tokens < wanted:
            tokens += lengths[words[at]]
            at += 1
        texts.append(" ".join(words[first:at]))
    return texts


def write_model_folder(folder: Path, tokenizer: Any, *, layers: int, width: int, seed: int = 0) -> Path:
    """A BERT classifier with random weights, exported as the gate exports; returns ``folder``."""
    from transformers import PreTrainedTokenizerFast

    from evalkit.modelling.loading import TextClassifier

    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    model = random_bert(len(fast), layers=layers, width=width, seed=seed)
    classifier = TextClassifier(model=model, tokenizer=fast, labels=LABELS)
    shape = {"layers": layers, "width": width, "seed": seed}
    export(classifier, folder, name="benchmark", max_length=MAX_LENGTH, provenance={"random weights": shape})
    return folder


def random_bert(vocabulary: int, *, layers: int, width: int, seed: int = 0) -> Any:
    """BertForSequenceClassification with heads of 64, in evaluation mode. The seed decides the weights."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=vocabulary, hidden_size=width, num_hidden_layers=layers, num_attention_heads=width // 64,
        intermediate_size=4 * width, max_position_embeddings=MAX_LENGTH, initializer_range=0.1,
        id2label=dict(enumerate(LABELS)), label2id={label: at for at, label in enumerate(LABELS)},
    )  # fmt: skip
    torch.manual_seed(seed)
    return BertForSequenceClassification(config).eval()


def write_int8_folder(fp32: Path, folder: Path) -> Path:
    """The same model with dynamically quantised int8 weights; returns ``folder``."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    folder.mkdir(parents=True)
    logging.disable(logging.WARNING)  # it advises a pre-processing at every call
    try:
        quantize_dynamic(fp32 / MODEL_FILE, folder / MODEL_FILE, weight_type=QuantType.QInt8)
    finally:
        logging.disable(logging.NOTSET)
    return _sealed(fp32, folder, "int8")


def write_fp16_folder(fp32: Path, folder: Path) -> Path:
    """The same model in half precision; returns ``folder``."""
    write_variant(fp32, folder, Precision.FP16)
    return folder


def _sealed(fp32: Path, folder: Path, precision: str) -> Path:
    shutil.copy(fp32 / TOKENIZER_FILE, folder / TOKENIZER_FILE)
    write_manifest(
        folder, name="benchmark", labels=LABELS, max_length=MAX_LENGTH, precision=precision, opset=OPSET,
        provenance={"made from": "the fp32 folder, by the benchmark"},
    )  # fmt: skip
    return folder
