"""A tiny text classifier that was really trained, as the Hugging Face folder of a teacher, and its data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

LABELS = ("negative", "neutral", "positive")
WORDS = {
    "negative": ["awful", "dreadful", "poor", "broken", "boring", "sad", "ugly", "slow"],
    "neutral": ["table", "window", "number", "street", "paper", "morning", "report", "seven"],
    "positive": ["great", "lovely", "bright", "happy", "superb", "fast", "clever", "warm"],
}
FILLER = ["the", "a", "was", "it", "very", "and", "this", "that", "on", "for", "we", "they", "had", "seen"]


def texts_and_labels(rows: int, seed: int) -> pd.DataFrame:
    """``id``, ``text``, ``label``, ``channel`` (web, phone); every text is unique for its seed."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(LABELS, rows)
    texts = [
        " ".join(
            rng.permutation([*rng.choice(WORDS[label], 2), *rng.choice(FILLER, rng.integers(2, 9)), f"n{seed}{at}"])
        )
        for at, label in enumerate(labels)
    ]
    return pd.DataFrame(
        {
            "id": [f"{seed}-{at}" for at in range(rows)],
            "text": texts,
            "label": labels,
            "channel": rng.choice(["web", "phone"], rows),
        }
    )


def write_tiny_teacher(
    folder: Path, labels: tuple[str, ...] = LABELS, steps: int = 60, data: pd.DataFrame | None = None
) -> Path:
    """A 3-layer, 32-wide, mean-pooled BERT with its tokenizer, trained until it is nearly always right, or once through
    ``data``, right or wrong."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, PreTrainedTokenizerFast

    from evalkit.modelling.loading import TextClassifier, save_classifier
    from evalkit.modelling.mean_pooled import MeanPooledClassifier
    from evalkit.students.objectives.hard import TrueLabels
    from evalkit.students.schedule import Schedule
    from evalkit.students.training import train

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *sorted({word for group in WORDS.values() for word in group}), *FILLER]
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        id2label=dict(enumerate(labels)),
        label2id={label: at for at, label in enumerate(labels)},
    )
    torch.manual_seed(0)
    classifier = TextClassifier(model=MeanPooledClassifier(config), tokenizer=fast, labels=labels)
    data = texts_and_labels(steps * 16, seed=7) if data is None else data
    truth = torch.tensor([labels.index(label) for label in data["label"]])
    schedule = Schedule(epochs=1, learning_rate=3e-3, batch_rows=16, max_length=32, seed=0)
    train(classifier, data["text"].tolist(), TrueLabels(labels=truth), schedule, lambda _: None)
    save_classifier(classifier.model, classifier.tokenizer, folder)
    return folder


def write_unsure(folder: Path, source: Path, texts: list[str]) -> Path:
    """The classifier of ``source`` with a head that cannot decide between the labels of these ``texts``: its logits are
    on average equal. What moves them ever so little changes labels."""
    from evalkit.modelling.loading import load_classifier, save_classifier
    from evalkit.modelling.predicting import torch_logits

    classifier = load_classifier(source)
    with torch.no_grad():
        classifier.model.classifier.bias -= torch.from_numpy(torch_logits(classifier, texts, 32).mean(0))
    save_classifier(classifier.model, classifier.tokenizer, folder)
    return folder
