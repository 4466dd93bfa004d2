"""Buffers of fixed shapes change no answer; the device here is the CPU, where the same calls run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from serving import device_buffers
from serving.device_buffers import DeviceBuffers
from serving.manifest import MODEL_FILE
from serving.provider import Provider
from serving.session import open_session


@pytest.fixture
def session(tiny_model_folder: Path):
    return open_session(tiny_model_folder / MODEL_FILE, provider=Provider.CPU, threads=1)


def batch(rows: int, tokens: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, tokens + 1, rows)
    lengths[0] = tokens
    mask = (np.arange(tokens) < lengths[:, np.newaxis]).astype(np.int64)
    return {"input_ids": rng.integers(1, 16, (rows, tokens)) * mask, "attention_mask": mask}


def test_every_shape_gets_the_answers_of_a_plain_run_whatever_ran_before(session):
    buffers = DeviceBuffers(session, ["input_ids", "attention_mask"], "logits", "cpu")
    rng = np.random.default_rng(3)
    for seed in range(120):
        inputs = batch(int(rng.integers(1, 18)), int(rng.integers(1, 40)), seed)
        (plain,) = session.run(["logits"], inputs)
        found = buffers.run(inputs)
        assert found.shape == plain.shape
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found, plain, rtol=1e-5, atol=1e-5)
    assert buffers.shapes <= 6 * 3, "rows 1, 2, 4, 8, 16, 32 by tokens 16, 32, 48"


def test_no_more_shapes_are_kept_than_allowed(session, monkeypatch):
    monkeypatch.setattr(device_buffers, "_MOST_SHAPES", 2)
    buffers = DeviceBuffers(session, ["input_ids", "attention_mask"], "logits", "cpu")
    for rows in (1, 2, 4, 1, 2, 4):
        inputs = batch(rows, 5, rows)
        np.testing.assert_allclose(buffers.run(inputs), session.run(["logits"], inputs)[0], rtol=1e-5, atol=1e-5)
        assert buffers.shapes <= 2
