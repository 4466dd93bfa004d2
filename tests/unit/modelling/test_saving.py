"""What is said where the disk does not take a model or a table, by whichever library it is written."""

from __future__ import annotations

import sqlite3

import numpy as np
import pandas as pd
import pytest

from evalkit.errors import StageError
from evalkit.modelling.loading import load_classifier, save_classifier
from evalkit.record.layout import RunFolder
from evalkit.record.stages import run_stage
from evalkit.teachers.outputs import OutputStore
from tests.full_disks import no_file_beyond
from tests.tiny_classifiers import write_tiny_teacher

WHY = r"(?:File too large|bytes: 10000 requested and \d+ written)"  # numpy's tofile knows no more
SAID = rf"could not be written \({WHY}\); is the disk full or read-only\? Make room and start again"


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return load_classifier(write_tiny_teacher(tmp_path_factory.mktemp("saving"), steps=1))


@pytest.mark.parametrize("size", [10, 500, 20_000], ids=["config", "tokenizer or config", "weights"])
def test_a_model_that_the_disk_does_not_take_is_one_line(classifier, tmp_path, size):
    with no_file_beyond(size), pytest.raises(StageError, match=SAID):
        save_classifier(classifier.model, classifier.tokenizer, tmp_path / "weights")


def test_a_tokenizer_that_the_disk_does_not_take_is_one_line(classifier, tmp_path):
    """Its library raises Exception itself, with the system's number in words."""

    class WithoutWeights:
        @staticmethod
        def save_pretrained(*_, **__):
            return

    with no_file_beyond(500), pytest.raises(StageError, match=SAID):
        save_classifier(WithoutWeights, classifier.tokenizer, tmp_path / "weights")


WRITERS = {
    "a numpy array": lambda folder: np.save(folder / "a.npy", np.zeros(10_000)),
    "a Parquet table": lambda folder: pd.DataFrame({"a": np.random.default_rng(1).random(10_000)}).to_parquet(
        folder / "a.parquet"
    ),
}


@pytest.mark.parametrize("written", WRITERS)
def test_a_stage_on_a_full_disk_leaves_nothing_and_is_done_anew_once_there_is_room(tmp_path, written):
    run, work = RunFolder(tmp_path / "run"), WRITERS[written]
    with no_file_beyond(20_000), pytest.raises(StageError, match=f"stage predictions {SAID}"):
        run_stage(run, "predictions", 1, {}, work)
    assert not [path for path in run.root.rglob("*") if path.is_file()]
    assert not run_stage(run, "predictions", 1, {}, work).reused


def test_an_error_that_is_not_the_disks_stays_what_it_is(tmp_path):
    def work(_):
        raise FileNotFoundError(2, "No such file or directory", "model.onnx")

    with pytest.raises(FileNotFoundError, match=r"model\.onnx"):
        run_stage(RunFolder(tmp_path / "run"), "predictions", 1, {}, work)


def test_teacher_outputs_that_were_committed_outlive_a_full_disk(tmp_path):
    path = tmp_path / "outputs.sqlite"
    texts = [f"text number {number}" for number in range(5000)]
    asked = []

    def ask(batches, keep):
        for at, batch in enumerate(batches):
            asked.extend(batch)
            keep(at, np.ones((len(batch), 3), dtype=np.float32))

    refused = pytest.raises(StageError, match=r"outputs\.sqlite could not be written")
    with OutputStore(path) as store, no_file_beyond(100_000), refused:
        store.probabilities("v1", texts, ask, lambda done, total: None)
    with sqlite3.connect(path) as database:
        (kept,) = database.execute("SELECT count(*) FROM outputs").fetchone()
    database.close()
    assert 0 < kept < len(asked) <= 5000
    with OutputStore(path) as store:
        del asked[:]
        store.probabilities("v1", texts, ask, lambda done, total: None)
    assert len(asked) == 5000 - kept
