from loadtest.capacity.cliff import Cliff, cliff_of
from loadtest.capacity.trial import Asked, Measured, Side, Trial


def trial(rate: float, p99_ms: float) -> Trial:
    return Trial(
        asked=Asked(number=1, step="repetition", rate_rps=rate, seconds=10, warmup_s=1, seed=1),
        side=Side.UNCLEAR,
        measured=Measured(blocks=((100, 1),), failed=0, p99_ms=p99_ms, wall_s=12),
    )


def test_a_p99_that_jumps_between_neighbouring_rates_is_a_cliff() -> None:
    found = cliff_of([trial(97, 20), trial(103, 900)], 100)
    assert found == Cliff(below_rps=97, above_rps=103, p99_below_ms=20, p99_above_ms=900)


def test_a_rise_as_of_any_queue_is_none() -> None:
    assert cliff_of([trial(97, 20), trial(103, 45)], 100) is None


def test_rates_far_apart_are_no_neighbours() -> None:
    assert cliff_of([trial(70, 20), trial(103, 900)], 100) is None
    assert cliff_of([trial(97, 20), trial(130, 900)], 100) is None


def test_one_bad_trial_is_no_cliff() -> None:
    assert cliff_of([trial(97, 20), trial(102, 900), trial(103, 30), trial(104, 30)], 100) is None
