"""What a torch classifier answers, for comparison with its exported file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from evalkit.modelling.batches import in_length_order, pad, tokenise
from evalkit.modelling.loading import TextClassifier

BATCH_ROWS = 64


def torch_logits(classifier: TextClassifier, texts: Sequence[str], max_length: int) -> NDArray[np.float32]:
    """Logits [texts, labels]."""
    ids = tokenise(classifier.tokenizer, texts, max_length)
    lengths = np.array([len(row) for row in ids], dtype=np.int64)
    logits = np.empty((len(ids), len(classifier.labels)), dtype=np.float32)
    with torch.inference_mode():
        for rows in in_length_order(lengths, BATCH_ROWS):
            batch = pad([ids[row] for row in rows], classifier.tokenizer.pad_token_id)
            logits[rows] = classifier.model(**batch).logits.float().numpy()
    return logits


def torch_answers(
    classifier: TextClassifier, texts: Sequence[str], max_length: int, labels: Sequence[str]
) -> NDArray[np.int64]:
    """The answers [texts] as numbers into ``labels``, which may lie in another order than the classifier's own."""
    order = [classifier.labels.index(label) for label in labels]
    return np.asarray(torch_logits(classifier, texts, max_length)[:, order].argmax(1), dtype=np.int64)
