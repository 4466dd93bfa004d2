"""A finding fires where its failure was planted, and stays silent where it was not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from evalkit.data.merging import merge_small
from evalkit.data.subpopulations import groups
from evalkit.diagnosis.distribution_mismatch import distribution_mismatch
from evalkit.diagnosis.hidden_degradation import hidden_degradation
from evalkit.quality.fidelity import fidelity_measurements
from evalkit.quality.paired_gap import paired_measurements
from evalkit.spec.subpopulations import Subpopulation
from evalkit.stats.interval import NotEstimable

SEEDS, PLANTED_SEEDS = 50, 10
BY = [Subpopulation(columns=("channel",))]
CHANNELS = ["a", "b", "c", "d", "e"]


def found(seed, losses, rows=5000, overall_margin=0.05):
    """The finding on a teacher right on 80 % of rows, whose student loses ``losses[channel]`` of them."""
    rng = np.random.default_rng(seed)
    channel = rng.choice(CHANNELS, rows)
    teacher = rng.random(rows) < 0.8
    lost = rng.random(rows) < np.array([losses.get(name, 0.0) for name in channel]) + 0.03
    gained = rng.random(rows) < 0.03 * 0.8 / 0.2
    student = np.where(teacher, ~lost, gained)
    table = pd.DataFrame({"row_label": "x", "channel": channel})
    table["teacher"], table["student"] = np.where(teacher, "x", "y"), np.where(student, "x", "y")
    found_groups = groups(table, BY, 0.05)
    return hidden_degradation(paired_measurements(table, found_groups, None, 0.9), found_groups, overall_margin, 0.95)


def test_a_degraded_group_under_a_passing_aggregate_fires_and_is_named():
    finding = found(0, {"c": 0.18})
    assert finding is not None
    assert finding.fired
    assert finding.measurement.subpopulation == "channel=c"
    assert finding.explanation.startswith(
        "1 subpopulations are shown outside their margin and the aggregate gap is inside"
    )


def test_it_stays_silent_without_a_degraded_group():
    fired = sum(found(seed, {}).fired for seed in range(40))
    assert fired <= 2


def test_it_is_not_this_failure_where_the_aggregate_fails_too():
    finding = found(0, dict.fromkeys(CHANNELS, 0.2))
    assert finding is not None
    assert not finding.fired
    assert "the aggregate does not pass either" in finding.explanation


def test_a_group_at_its_margin_rarely_fires():
    fired = sum(found(seed, {"c": 0.0625}).fired for seed in range(60))
    assert fired <= 8  # five groups, one of them at its margin: at most 5 % plus the noise of 60 trials


def test_a_lost_group_that_is_merged_into_all_rows_fires_too():
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"row_label": "x", "channel": np.where(np.arange(3000) < 25, "fax", "web"), "teacher": "x"})
    table["student"] = np.where((table["channel"] == "fax") | (rng.random(3000) < 0.005), "y", "x")
    merged = merge_small(groups(table, BY, 0.05), 0.05, 0.95)
    (fax,) = (group for group in merged.groups if group.name == "channel=fax")
    assert (fax.merged_into, fax.required) == ("all", False)
    measured = paired_measurements(table, merged.groups, None, 0.9)
    finding = hidden_degradation(measured, merged.groups, merged.overall_margin, 0.95)
    assert finding is not None
    assert finding.fired
    assert finding.measurement.subpopulation == "channel=fax"


def test_without_groups_there_is_nothing_to_find():
    table = pd.DataFrame({"row_label": ["x"] * 200, "teacher": ["x"] * 200, "student": ["x"] * 200})
    assert hidden_degradation(paired_measurements(table, (), None, 0.9), (), 0.05, 0.95) is None


NEWS = tuple("minister vote budget city council tax reform election party debate school road police court".split())
FILMS = tuple("actor scene plot director camera music ending script cast role drama comedy screen story".split())
COMMON = tuple("the a of and in with for it was on that this by from".split())


def corpus(words, rows, seed):
    rng = np.random.default_rng(seed)
    return [" ".join([*rng.choice(words, 4), *rng.choice(COMMON, 6)]) for _ in range(rows)]


def mismatch(held_out, production, seed=0):
    return distribution_mismatch(held_out, production, 0.9, np.random.default_rng(seed))


def test_another_topic_in_production_fires():
    finding = mismatch(corpus(NEWS, 400, 1), corpus(NEWS, 200, 2) + corpus(FILMS, 200, 3))
    assert finding.fired
    assert "AUC 0." in finding.explanation


def test_where_it_fires_the_production_texts_least_like_the_training_texts_are_shown():
    production = corpus(NEWS, 200, 2) + corpus(FILMS, 200, 3)
    taught = corpus(NEWS, 300, 4) + production[200:395]
    finding = distribution_mismatch(corpus(NEWS, 400, 1), production, 0.9, np.random.default_rng(0), taught)
    assert finding.fired
    untaught = {f"“{text}”" for text in production[:200] + production[395:]}
    assert len(finding.examples) == 5
    assert set(finding.examples) <= untaught
    assert set(mismatch(corpus(NEWS, 400, 1), production).examples) <= {f"“{text}”" for text in production[200:]}


@pytest.mark.slow
@pytest.mark.long
def test_the_two_sample_test_fires_on_a_planted_topic_and_rarely_between_random_halves():
    def fired(seed, films):
        texts = corpus(NEWS, 400 - films, 2 * seed) + corpus(FILMS, films, 2 * seed + 1)
        return mismatch([text[:30] for text in texts[:200]], [text[:30] for text in texts[200:]], seed).fired

    planted = sum(fired(seed, 100) for seed in range(PLANTED_SEEDS))
    null = sum(fired(seed, 0) for seed in range(SEEDS))
    print(f"distribution mismatch: fired {planted}/{PLANTED_SEEDS} planted, {null}/{SEEDS} null")  # noqa: T201
    assert planted >= 0.9 * PLANTED_SEEDS
    assert null <= binom.ppf(0.999, SEEDS, 0.01)


def test_the_rows_lost_that_a_balanced_aggregate_hides_are_said_with_their_interval():
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"row_label": "x", "channel": rng.choice(CHANNELS, 2000)})
    table["teacher"] = np.where(np.arange(2000) < 200, "y", "x")
    table["student"] = np.where(np.arange(2000) >= 1800, "y", "x")
    found_groups = groups(table, BY, 0.05)
    measured = (
        *paired_measurements(table, found_groups, None, 0.9),
        *fidelity_measurements(table, "classification", ("x", "y"), None, 0.9, rng),
    )
    finding = hidden_degradation(measured, found_groups, 0.05, 0.95)
    assert finding is not None
    flips = next(each.value for each in measured if each.name == "negative_flip_rate")
    assert f"10.0% ({flips.lower:.1%} to {flips.upper:.1%}) are lost that the teacher had right" in finding.explanation


def test_too_few_production_texts_are_not_estimable_and_never_fire():
    finding = mismatch(corpus(NEWS, 400, 1), corpus(FILMS, 100, 2))
    assert finding.measurement.value == NotEstimable(
        reason="100 texts on the smaller side; 200 are needed", n=100, n_needed=200
    )
    assert not finding.fired
