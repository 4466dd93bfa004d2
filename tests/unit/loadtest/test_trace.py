from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loadtest.errors import InputError
from loadtest.plan import Arrivals, OpenLoopPlan, plan_from_json, plan_to_json
from loadtest.schedule import intended_times, schedule_of
from loadtest.trace import Trace, read_trace, trace_plan

TIMES = [10.0, 10.5, 10.5, 12.0]


def written(tmp_path: Path, rows: dict[str, object], kind: str = "csv") -> Path:
    path = tmp_path / f"trace.{kind}"
    frame = pd.DataFrame(rows)
    match kind:
        case "csv":
            frame.to_csv(path, index=False)
        case "parquet":
            frame.to_parquet(path)
        case _:
            frame.to_json(path, orient="records", lines=True)
    return path


def read(path: Path, speed: float = 1.0) -> Trace:
    return read_trace(trace_plan(path, speed))


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_times_count_from_the_first_request_in_every_format(tmp_path: Path, kind: str) -> None:
    trace = read(written(tmp_path, {"time_s": TIMES, "payload": [3, 0, 1, 2]}, kind))
    np.testing.assert_allclose(trace.times_s, [0.0, 0.5, 0.5, 2.0])
    assert trace.payloads is not None
    assert trace.payloads.tolist() == [3, 0, 1, 2]


def test_a_trace_without_payloads_has_none(tmp_path: Path) -> None:
    assert read(written(tmp_path, {"time_s": TIMES})).payloads is None


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_dates_are_times_too(tmp_path: Path, kind: str) -> None:
    dates = ["2026-11-24T10:00:00Z", "2026-11-24T10:00:01.250Z", "2026-11-24T11:00:02+01:00"]
    np.testing.assert_allclose(read(written(tmp_path, {"time_s": dates}, kind)).times_s, [0.0, 1.25, 2.0])


def test_a_faster_replay_keeps_the_proportions(tmp_path: Path) -> None:
    np.testing.assert_allclose(read(written(tmp_path, {"time_s": TIMES}), 4.0).times_s, [0.0, 0.125, 0.125, 0.5])


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"time_s": [1.0, 3.0, 2.0]}, "row 2 is at 2 s, after 3 s; sort it"),
        ({"time_s": []}, "is empty"),
        ({"when": [1.0]}, "no column 'time_s'; it has when"),
        ({"time_s": [1.0, None]}, "row 1.*no time"),
        ({"time_s": ["1", "soon"]}, "row 1: 'soon' is no time"),
        ({"time_s": [1.0, 2.0], "payload": [0, -1]}, "row 1: payload '-1'"),
        ({"time_s": [1.0, 2.0], "payload": [0.5, 1]}, "row 0: payload '0.5'"),
    ],
)
def test_a_bad_trace_is_refused_with_the_row(tmp_path: Path, rows: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(written(tmp_path, rows))


def test_an_empty_or_missing_or_foreign_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none.csv").touch()
    with pytest.raises(InputError, match="empty"):
        read(tmp_path / "none.csv")
    with pytest.raises(InputError, match="cannot be read"):
        trace_plan(tmp_path / "missing.csv")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match="truncated"):
        read(tmp_path / "broken.parquet")
    (tmp_path / "trace.har").write_text("{}")
    with pytest.raises(InputError, match=r"ends in '.har'"):
        read(tmp_path / "trace.har")


def test_a_trace_that_has_changed_since_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, {"time_s": TIMES})
    plan = trace_plan(path)
    written(tmp_path, {"time_s": [*TIMES, 13.0]})
    with pytest.raises(InputError, match="not the file that was planned with"):
        read_trace(plan)


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_an_absurd_speed_is_refused(tmp_path: Path, speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        trace_plan(written(tmp_path, {"time_s": TIMES}), speed)


def plan_of(path: Path) -> OpenLoopPlan:
    return OpenLoopPlan(
        url="http://127.0.0.1:1",
        rate_rps=10.0,
        duration_s=1.9,
        arrivals=Arrivals.TRACE,
        trace=trace_plan(path),
    )


def test_a_replay_sends_the_traces_own_times_and_payloads_until_the_run_ends(tmp_path: Path) -> None:
    plan = plan_of(written(tmp_path, {"time_s": TIMES, "payload": [3, 0, 1, 2]}))
    schedule = schedule_of(plan, 4)
    np.testing.assert_allclose(schedule.intended_s, [0.0, 0.5, 0.5])
    np.testing.assert_array_equal(schedule.intended_s, intended_times(plan))
    assert schedule.payload.tolist() == [3, 0, 1]
    assert plan_from_json(plan_to_json(plan)) == plan
    with pytest.raises(InputError, match="names payload 3; there are 3 requests"):
        schedule_of(plan, 3)
