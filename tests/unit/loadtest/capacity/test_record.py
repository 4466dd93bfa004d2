from pathlib import Path

import pandas as pd
import pytest

from loadtest.capacity.plan import SearchPlan
from loadtest.capacity.record import TRIALS, keeping, read_result, trial_table, write_result
from loadtest.capacity.search import search
from loadtest.capacity.trial import Measured
from tests.unit.loadtest.capacity.simulated import Simulated, exponential

PLAN = SearchPlan(limit_ms=25.0)


@pytest.mark.parametrize("void", [(), (3, 4)], ids=["found", "void"])
def test_a_result_is_read_as_it_was_written(void: tuple[int, ...], tmp_path: Path) -> None:
    result = search(PLAN, Simulated(exponential(1000.0), 25.0, void=void))
    write_result(tmp_path / "capacity.json", result)
    assert read_result(tmp_path / "capacity.json") == result


def test_the_table_has_a_line_for_each_trial() -> None:
    result = search(PLAN, Simulated(exponential(1000.0), 25.0, void=(2,)))
    table = trial_table(result.trials)
    assert table["number"].tolist() == list(range(1, len(result.trials) + 1))
    assert table["void"].tolist()[:3] == ["", "Another process ran.", ""]


def test_a_search_that_is_broken_off_leaves_the_trials_until_then(tmp_path: Path) -> None:
    simulated = Simulated(exponential(1000.0), 25.0)

    def interrupted(asked) -> Measured:  # type: ignore[no-untyped-def]
        if asked.number == 4:
            raise KeyboardInterrupt
        return simulated(asked)

    told: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        search(PLAN, interrupted, keeping(tmp_path / "new", lambda trial: told.append(trial.asked.number)))
    assert pd.read_csv(tmp_path / "new" / TRIALS)["number"].tolist() == told == [1, 2, 3]
