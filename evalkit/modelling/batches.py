"""Tokenised texts cut into padded batches of like length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

POOL_BATCHES = 32


def tokenise(tokenizer: Any, texts: Sequence[str], max_length: int) -> list[list[int]]:
    """Token ids of each text, special tokens included, cut at ``max_length``."""
    if not texts:
        return []
    encoded = tokenizer(list(texts), truncation=True, max_length=max_length, return_attention_mask=False)
    ids: list[list[int]] = encoded["input_ids"]
    return ids


def pad(ids: Sequence[Sequence[int]], pad_id: int) -> dict[str, torch.Tensor]:
    """``input_ids`` and ``attention_mask`` [rows, longest], int64."""
    longest = max(len(row) for row in ids)
    tokens = torch.full((len(ids), longest), pad_id, dtype=torch.long)
    mask = torch.zeros((len(ids), longest), dtype=torch.long)
    for row, values in enumerate(ids):
        tokens[row, : len(values)] = torch.tensor(values)
        mask[row, : len(values)] = 1
    return {"input_ids": tokens, "attention_mask": mask}


def in_length_order(lengths: NDArray[np.int64], batch_rows: int) -> Iterator[NDArray[np.int64]]:
    """Row numbers in batches, longest last: the least padding, for prediction."""
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(order), batch_rows):
        yield order[start : start + batch_rows]


def shuffled_by_length(
    lengths: NDArray[np.int64], batch_rows: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Row numbers of one epoch in batches of like length and random order.

    Rows are shuffled, sorted by length within pools of 32 batches, and the batches shuffled again:
    little padding without a fixed curriculum from short to long.
    """
    order = rng.permutation(len(lengths))
    pool = batch_rows * POOL_BATCHES
    batches: list[NDArray[np.int64]] = []
    for start in range(0, len(order), pool):
        rows = order[start : start + pool]
        rows = rows[np.argsort(lengths[rows], kind="stable")]
        batches += [rows[at : at + batch_rows] for at in range(0, len(rows), batch_rows)]
    for index in rng.permutation(len(batches)):
        yield batches[index]
