"""record.json holds everything a report may say, and comes back as it was."""

from __future__ import annotations

import dataclasses
import json

import pytest

from evalkit.decision.verdict import Outcome
from evalkit.diagnosis.finding import FailureMode
from evalkit.errors import RunFolderError
from evalkit.record.layout import RunFolder
from evalkit.record.run_record import SCHEMA_VERSION, RunRecord, read_record, write_record
from evalkit.stats.interval import Interval, NotEstimable


@pytest.fixture
def written(run: RunFolder, record: RunRecord) -> RunFolder:
    run.root.mkdir(parents=True)
    write_record(run, record)
    return run


def test_a_record_comes_back_equal(written: RunFolder, record: RunRecord) -> None:
    assert read_record(written.root) == record


def test_a_record_comes_back_with_its_types(written: RunFolder) -> None:
    back = read_record(written.root)
    assert back.verdict.outcome is Outcome.INCONCLUSIVE
    assert back.findings[0].failure_mode is FailureMode.DISTRIBUTION_MISMATCH
    assert [type(each.value) for each in back.measurements] == [Interval, NotEstimable]
    assert isinstance(back.verdict.checks, tuple)


def test_every_figure_keeps_all_its_digits(written: RunFolder, record: RunRecord) -> None:
    before, after = record.measurements[0].value, read_record(written.root).measurements[0].value
    assert isinstance(before, Interval)
    assert isinstance(after, Interval)
    assert (after.point, after.lower, after.upper) == (before.point, before.lower, before.upper)


def test_the_verdict_stands_alone_as_well_and_agrees(written: RunFolder) -> None:
    alone = json.loads(written.verdict.read_text(encoding="utf-8"))
    assert alone["outcome"] == "INCONCLUSIVE"
    assert alone == json.loads(written.record.read_text(encoding="utf-8"))["verdict"]


def test_a_folder_without_a_record_is_named_with_the_remedy(run: RunFolder) -> None:
    with pytest.raises(RunFolderError, match=r"holds no finished run \(no record.json\); run `evalkit check` first"):
        read_record(run.root)


@pytest.mark.parametrize("kept", [0, 1, 100, -3], ids=["empty", "one byte", "the beginning", "all but the end"])
def test_a_truncated_record_is_called_damaged(kept: int, written: RunFolder) -> None:
    written.record.write_bytes(written.record.read_bytes()[:kept])
    with pytest.raises(RunFolderError, match=r"record\.json is damaged"):
        read_record(written.root)


def test_a_record_without_its_verdict_is_called_damaged(written: RunFolder) -> None:
    content = json.loads(written.record.read_text(encoding="utf-8"))
    del content["verdict"]
    written.record.write_text(json.dumps(content))
    with pytest.raises(RunFolderError, match=r"record\.json is damaged"):
        read_record(written.root)


def test_another_schema_version_is_named_beside_the_one_that_is_read(written: RunFolder) -> None:
    content = json.loads(written.record.read_text(encoding="utf-8"))
    content["schema_version"] = SCHEMA_VERSION + 1
    written.record.write_text(json.dumps(content))
    with pytest.raises(
        RunFolderError, match=f"has schema version {SCHEMA_VERSION + 1}; this evalkit reads {SCHEMA_VERSION}"
    ):
        read_record(written.root)


def test_a_record_of_another_version_with_other_fields_is_not_taken_for_a_good_one(written: RunFolder) -> None:
    content = json.loads(written.record.read_text(encoding="utf-8"))
    content["schema_version"] = SCHEMA_VERSION + 1
    content["evidence"] = content.pop("measurements")
    written.record.write_text(json.dumps(content))
    with pytest.raises(RunFolderError, match=r"record\.json.* version"):
        read_record(written.root)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_none_is_never_written(number: float, run: RunFolder, record: RunRecord) -> None:
    run.root.mkdir(parents=True)
    figures = {**record.loads[0].figures, "p99_ms": number}
    loads = (dataclasses.replace(record.loads[0], figures=figures),)
    with pytest.raises(ValueError, match=r"p99_ms|not JSON compliant|finite"):
        write_record(run, dataclasses.replace(record, loads=loads))
    assert not run.record.exists()
