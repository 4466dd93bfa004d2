"""What is learnt is named by the file and by the columns that are read of it: nothing stale is found finished."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from evalkit.record.layout import RunFolder
from evalkit.record.stages import file_digest
from evalkit.spec.loading import load_spec
from evalkit.teachers.outputs import OutputStore
from evalkit.workflow.gate import Gate, Silence
from evalkit.workflow.inputs import Inputs
from evalkit.workflow.teaching import OUTPUTS, lessons_of
from evalkit.workflow.training import training_of

TABLE = pd.DataFrame(
    {
        "id": range(40),
        "text": [f"whole text {at}" for at in range(40)],
        "title": [f"title {at}" for at in range(40)],
        "label": ["no", "yes"] * 20,
        "corrected": ["yes", "no"] * 20,
    }
)


@pytest.fixture
def lessons(tmp_path: Path):
    """Lessons of one file by other columns, each in a run folder beside the others; all that the teacher says is known
    already: 0.9 for the first label of a whole text, 0.2 of a title."""
    TABLE.to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "teacher").mkdir()
    (tmp_path / "teacher" / "config.json").write_text("{}")

    def read(run: str, **columns: str):
        spec = {
            "task": {"name": "columns", "labels": ["no", "yes"]},
            "data": {"train": "rows.csv", "held_out": "rows.csv", "columns": columns},
            "teacher": {"load": "teacher"},
            "student": {"distill": {"cut_layers": [0], "batch_rows": 8}},
            "requirements": {"cost_reduction": None},
        }
        (tmp_path / "gate.yaml").write_text(yaml.safe_dump(spec))
        loaded, folder = load_spec(tmp_path / "gate.yaml"), tmp_path / "runs" / run
        folder.mkdir(parents=True)
        with OutputStore(folder / OUTPUTS) as store:

            def ask(batches, answer) -> None:
                for at, batch in enumerate(batches):
                    first = [0.9 if text.startswith("whole") else 0.2 for text in batch]
                    answer(at, np.array([[each, 1 - each] for each in first], dtype=np.float32))

            store.probabilities("one", (*TABLE["text"], *TABLE["title"]), ask, lambda *_: None)
        gate = Gate(loaded=loaded, run=RunFolder(folder), reporter=Silence())
        inputs = Inputs(loaded=loaded, digests={"train": file_digest(tmp_path / "rows.csv")})
        return gate, lessons_of(gate, inputs, SimpleNamespace(version="one"))

    return read


def key(gate: Gate, lessons) -> str:
    return str(training_of(gate, lessons, gate.spec.student.distill, seed=1).checkpoints.name)


def test_the_teacher_is_asked_anew_for_another_column_of_the_same_file(lessons):
    assert lessons("whole")[1].probabilities()[0, 0] == pytest.approx(0.9)
    assert lessons("title", text="title")[1].probabilities()[0, 0] == pytest.approx(0.2)


def test_a_student_is_trained_anew_on_another_column_of_labels(lessons):
    """hard labels, and every control that learns from them, would be those of the other column."""
    first = key(*lessons("first"))
    assert key(*lessons("again")) == first
    assert key(*lessons("corrected", label="corrected")) != first
