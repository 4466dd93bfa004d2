"""What a process counts, and how the counts of several come together."""

from __future__ import annotations

import subprocess
import sys
from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from serving import figures
from serving.board import Board
from serving.figures import CELLS, DROPPED_ROWS, QUEUE_SECONDS, REFUSALS, REQUESTS, Figures, path_label


@given(st.lists(st.floats(0, 20), max_size=40))
def test_a_distribution_counts_every_value_once_in_the_bucket_whose_bound_holds_it(values: list[float]) -> None:
    row = Board.private().row(0)
    for value in values:
        Figures(row).queued(value)

    start, bounds = QUEUE_SECONDS.start, QUEUE_SECONDS.bounds
    for offset, bound in enumerate(bounds):
        assert sum(row[start : start + offset + 1]) == sum(value <= bound for value in values)
    assert sum(row[start : start + len(bounds) + 1]) == len(values)
    assert abs(row[QUEUE_SECONDS.sum_at] - sum(values)) < 1e-9
    assert bisect_left(bounds, bounds[0]) == 0


def test_no_figure_touches_the_cell_of_another() -> None:
    row = Board.private().row(0)
    counted = Figures(row)
    counted.tokenised(0.001)
    counted.queued(0.002)
    counted.computed(0.003, 4, 64)
    counted.refused("queue full")
    counted.dropped("client gone", 3)
    counted.requested("/v1/classify", 200, 0.005)
    counted.unread(408)
    counted.disconnected()
    counted.waiting(7)
    counted.connected(9)

    # five distributions of one value and its sum each, the request's too; four counts and two gauges
    assert len([value for value in row if value]) == 6 * 2 + 5 + 2
    assert sum(row[REQUESTS.start : REQUESTS.start + len(REQUESTS.labels)]) == 2
    assert sum(row[DROPPED_ROWS.start : DROPPED_ROWS.start + len(DROPPED_ROWS.labels)]) == 3


def test_an_unknown_path_status_or_reason_is_counted_as_other() -> None:
    row = Board.private().row(0)
    counted = Figures(row)
    counted.requested("/wp-login.php", 418, 0.001)
    counted.refused("a new reason")
    counted.dropped("a new reason", 2)

    assert row[REQUESTS.start + REQUESTS.labels.index(("other", "other"))] == 1
    assert row[REFUSALS.start + REFUSALS.labels.index("other")] == 1
    assert row[DROPPED_ROWS.start + DROPPED_ROWS.labels.index("other")] == 2


@given(st.text(max_size=40))
def test_no_client_can_make_up_names(text: str) -> None:
    for path in (text, f"/v2/models/{text}/infer", f"/v2/repository/{text}", f"/{text}"):
        assert path_label(path) in figures.PATHS


def test_rows_of_other_processes_are_added_up_and_outlive_them() -> None:
    board = Board.shared(3)
    code = (
        "import sys\n"
        "from serving.board import Board\n"
        "from serving.figures import Figures\n"
        "figures = Figures(Board.attached(int(sys.argv[1]), 3).row(int(sys.argv[2])))\n"
        "figures.refused('draining'); figures.waiting(5)\n"
    )
    for row in ("0", "2", "2"):
        arguments = [sys.executable, "-c", code, str(board.descriptor), row]
        subprocess.run(arguments, check=True, pass_fds=(board.descriptor or -1,))

    draining = REFUSALS.start + REFUSALS.labels.index("draining")
    assert len(board.total()) == CELLS
    assert (board.total()[draining], board.total()[figures.WAITING_ROWS]) == (3, 10)
    board.clear_gauges(2)
    assert (board.total()[draining], board.total()[figures.WAITING_ROWS]) == (3, 5)
