"""The teacher's accuracy of an earlier run is taken where it read the same columns of the same file."""

from __future__ import annotations

import json
from pathlib import Path

from evalkit.spec.gate import Columns
from evalkit.workflow.earlier_runs import earlier_teacher_accuracy


def test_an_earlier_run_on_another_column_of_labels_is_no_evidence(tmp_path: Path) -> None:
    value = {"point": 0.9, "lower": 0.88, "upper": 0.92, "level": 0.9, "n": 900, "method": "Wilson"}
    record = {
        "signature": {"data_digests": {"held_out": "rows"}, "model_versions": {"teacher": "one"}, "decided_at": "1"},
        "spec": {"data": {"columns": Columns().model_dump(mode="json")}},
        "measurements": [{"name": "teacher_accuracy", "value": value}],
    }
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier" / "record.json").write_text(json.dumps(record))
    found = earlier_teacher_accuracy(tmp_path, "rows", Columns(), "one")
    assert found is not None
    assert (found[0], found[1].point) == ("earlier", 0.9)
    assert earlier_teacher_accuracy(tmp_path, "rows", Columns(label="corrected"), "one") is None
    assert earlier_teacher_accuracy(tmp_path, "rows", Columns(), "two") is None
