"""Labels that depend on the other texts in a batch: found in dynamic int8, absent where the scales are in the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import StageError
from evalkit.modelling.loading import load_classifier
from evalkit.packaging.batch_dependence import batch_dependence, effective_size
from evalkit.packaging.export import export, open_engine
from evalkit.packaging.parity import served_logits
from evalkit.packaging.precision import Precision, write_variant
from evalkit.stats.proportions import proportion_bounds
from tests.tiny_classifiers import texts_and_labels, write_tiny_teacher, write_unsure

TEXTS = texts_and_labels(600, seed=2)["text"].tolist()
TRAIN = tuple(texts_and_labels(64, seed=5)["text"])


@pytest.fixture(scope="module")
def unsure(tmp_path_factory) -> dict[Precision, Path]:
    """A model that cannot decide, in three precisions."""
    root = tmp_path_factory.mktemp("unsure")
    write_unsure(root / "torch", write_tiny_teacher(root / "teacher", steps=1), TEXTS)
    export(load_classifier(root / "torch"), root / "fp32", name="tiny", max_length=32, provenance={})
    for precision in (Precision.INT8_DYNAMIC, Precision.INT8_STATIC):
        write_variant(root / "fp32", root / precision, precision, TRAIN)
    return {each: root / each for each in (Precision.FP32, Precision.INT8_DYNAMIC, Precision.INT8_STATIC)}


def found(folder: Path, most: float = 1.0, rows: int = 16):
    return batch_dependence(open_engine(folder, "cpu", 1), TEXTS, rows, most, np.random.default_rng(1))


def test_dynamic_int8_changes_labels_with_the_batch(unsure):
    dynamic = found(unsure[Precision.INT8_DYNAMIC])
    assert (dynamic.texts, dynamic.batch_rows) == (600, 16)
    assert 0 < dynamic.lower < dynamic.changed / 600 < dynamic.upper < 0.15


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.INT8_STATIC])
def test_a_model_whose_scales_are_in_its_file_changes_none(unsure, precision):
    steady = found(unsure[precision])
    assert (steady.changed, steady.lower) == (0, 0.0)


def test_answers_to_each_text_alone_do_not_depend_on_the_order_of_the_table(unsure):
    engine = open_engine(unsure[Precision.INT8_DYNAMIC], "cpu", 1)
    order = np.random.default_rng(3).permutation(len(TEXTS))
    shuffled = [TEXTS[at] for at in order]
    for ask in (lambda texts: served_logits(engine, texts), lambda texts: engine.classify(texts).probabilities):
        np.testing.assert_array_equal(ask(shuffled), ask(TEXTS)[order])
    together = engine.classify(TEXTS, batch_rows=16).probabilities
    assert not np.array_equal(engine.classify(shuffled, batch_rows=16).probabilities, together[order])


def test_a_share_that_is_certainly_too_large_is_refused(unsure):
    with pytest.raises(StageError, match=r"labels depend on which other texts share their batch of 16 \(.*allows 0.1%"):
        found(unsure[Precision.INT8_DYNAMIC], most=0.001)


def test_few_texts_are_tried_in_smaller_batches_so_that_there_are_several(unsure):
    engine = open_engine(unsure[Precision.INT8_DYNAMIC], "cpu", 1)
    few = batch_dependence(engine, TEXTS[:40], 256, 1.0, np.random.default_rng(1))
    assert (few.texts, few.batch_rows) == (40, 5)


@given(st.lists(st.booleans(), min_size=20, max_size=200), st.integers(2, 10))
def test_the_effective_size_is_never_more_than_the_texts_and_never_none(changed, rows):
    assert 0 < effective_size(np.array(changed), rows) <= len(changed)


@pytest.mark.parametrize("together", [1, 16], ids=["texts change one by one", "whole batches change"])
def test_the_interval_covers_the_share_also_where_whole_batches_change(together):
    """Planted: 5 % of labels change, alone or 16 at once; 95 % intervals of 500 draws of 100 batches."""
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(500):
        changed = np.repeat(rng.random(1600 // together) < 0.05, together)
        size = effective_size(changed, 16)
        lower, upper = proportion_bounds(changed.mean() * size, size, 0.95)
        covered += bool(lower <= 0.05 <= upper)
    print(f"coverage of 95 % intervals, {together} at once: {covered / 500:.3f}")  # noqa: T201 - the rate is part of the evidence
    assert 0.92 <= covered / 500 <= 0.985


def test_the_upper_end_covers_also_where_changes_are_so_clumped_that_none_was_seen():
    """Planted: 5 % of the batches of 32 change 30 % of their labels; of 16 batches, 44 in 100 draws show none."""
    rng, covered = np.random.default_rng(9), 0
    for _ in range(500):
        changed = np.repeat(rng.random(16) < 0.05, 32) & (rng.random(512) < 0.3)
        size = effective_size(changed, 32)
        covered += bool(proportion_bounds(changed.mean() * size, size, 0.95)[1] >= 0.05 * 0.3)
    print(f"coverage of upper ends: {covered / 500:.3f}")  # noqa: T201 - the rate is part of the evidence
    assert covered / 500 >= 0.95
