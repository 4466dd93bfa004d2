"""The finding of a subpopulation that nobody declared."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.diagnosis.discovered import discovered_finding
from evalkit.diagnosis.finding import FailureMode
from tests.unit.quality.discovery.planted import planted, searched


@pytest.fixture(scope="module")
def bad():
    return searched(planted(0, 3000, lambda table: table["region"] == "a"))


@pytest.fixture(scope="module")
def noise():
    return next(result for seed in range(9) if (result := searched(planted(seed, 3000), seed)).candidates)


def test_it_fires_on_a_confirmed_subpopulation_and_names_it(bad):
    finding = discovered_finding(bad, 0.05, 0.95)
    assert finding is not None
    assert finding.fired
    assert finding.failure_mode is FailureMode.WRONG_METRIC
    assert finding.measurement == bad.confirmed[0].gap
    assert "1 are confirmed on the other to lose more than the other rows, 1 shown outside" in finding.explanation
    assert "farthest out is region=a at −2" in finding.explanation
    assert "(allowed −5.0)" in finding.explanation


def test_without_a_margin_every_confirmed_one_counts(bad):
    finding = discovered_finding(bad, None, 0.95)
    assert finding is not None
    assert finding.fired
    assert "allowed" not in finding.explanation


def test_a_confirmed_one_shown_inside_its_margin_does_no_harm(bad):
    finding = discovered_finding(bad, 0.9, 0.95)
    assert finding is not None
    assert not finding.fired
    assert "all shown inside their margin" in finding.explanation


def test_it_stays_silent_where_none_is_confirmed(noise):
    finding = discovered_finding(noise, 0.05, 0.95)
    assert finding is not None
    assert not finding.fired
    assert "0 are confirmed" in finding.explanation


def test_where_nothing_was_tested_there_is_nothing_to_say():
    table = planted(0, 1000)
    assert discovered_finding(searched(table.assign(student=table["teacher"])), 0.05, 0.95) is None
    assert discovered_finding(searched(planted(0, 100)), 0.05, 0.95) is None


@pytest.mark.parametrize("seed", range(4))
def test_equal_models_rarely_fire_it(seed):
    finding = discovered_finding(searched(planted(seed, 1500), seed), None, 0.95)
    assert finding is None or not finding.fired


def test_the_worst_of_several_is_the_one_it_shows():
    rng = np.random.default_rng(99)
    table = planted(0, 6000, lambda table: table["region"] == "a", 0.2)
    worse = (table["plan"] == "f") & (rng.random(6000) < 0.6)
    table["student"] = table["student"].mask(worse, "none")
    result = searched(table)
    finding = discovered_finding(result, 0.05, 0.95)
    assert finding is not None
    assert {each.name for each in result.confirmed} >= {"region=a", "plan=f"}
    assert finding.measurement.value.point == min(each.gap.value.point for each in result.confirmed)
    assert finding.explanation.startswith(f"{len(result.candidates)} undeclared subpopulations were found")
