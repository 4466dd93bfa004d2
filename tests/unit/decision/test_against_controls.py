"""What the controls make of a verdict: advice in the recommendation, never another outcome."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from evalkit.decision.against_controls import advice
from evalkit.decision.outcome import Outcome
from evalkit.decision.recommendation import Action
from evalkit.decision.requirement import Requirement
from evalkit.decision.verdict import Verdict, decide
from evalkit.quality.controls import Budget, ControlLine, ControlsReport
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.measurement import Measurement

Measure = Callable[..., Measurement]
Claim = Callable[..., Requirement]

SAME = {"both": 900, "neither": 100}
MUCH_WORSE = {"both": 700, "teacher_only": 200, "neither": 100}
SEEN = "(gain −0.1 points, −0.6 to +0.4)"
LABELS_DO = "train it on your labels, which needs no teacher"
ANSWERS_DO = "its probabilities add nothing, {objective: answers} is enough"
GAINED, AS_GOOD, OPEN, BEHIND = (0.01, 0.05), (-0.006, 0.004), (-0.01, 0.03), (-0.05, -0.02)


def between(ends: tuple[float, float]) -> Interval:
    return Interval(point=sum(ends) / 2, lower=ends[0], upper=ends[1], level=0.95, n=1000, method="planted")


def report(seeds: int = 3, **gains: Estimate | tuple[float, float]) -> ControlsReport:
    def line(name: str, gain: Estimate | tuple[float, float] | None) -> ControlLine:
        value = between(gain) if isinstance(gain, tuple) else gain
        return ControlLine(name=name, trainings=seeds, accuracy=between((0.8, 0.9)), gain=value, budget=Budget())

    return ControlsReport(
        student=line("student", None),
        controls=tuple(line(name, gain) for name, gain in gains.items()),
        level=0.90,
        seeds=seeds,
        worth=0.01,
        taught=True,
    )


@pytest.fixture
def verdict(gap: Measure, gap_claim: Claim) -> Callable[..., Verdict]:
    def made(controls: ControlsReport | None, counts: dict[str, int] = SAME) -> Verdict:
        return decide([gap_claim()], [gap(**counts)], [], 0.95, None, controls)

    return made


def test_a_student_better_than_every_control_is_recommended_as_before(verdict: Callable[..., Verdict]) -> None:
    assert advice(report(hard_labels=GAINED, tfidf=GAINED)) is None
    assert verdict(report(hard_labels=GAINED, tfidf=GAINED)) == verdict(None)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "hard_labels",
            f"the same student trained on the true labels is as good {SEEN}: {LABELS_DO}",
        ),
        (
            "teacher_argmax",
            f"the same student trained on the teacher's answers alone is as good {SEEN}: {ANSWERS_DO}",
        ),
        (
            "tfidf",
            f"TF-IDF with logistic regression on the true labels is as good {SEEN}: deploy that",
        ),
        ("load: models/other", f"models/other is as good {SEEN}: deploy that, as it comes"),
    ],
)
def test_after_go_a_control_as_good_says_do_not_distil_and_what_to_do_instead(
    verdict: Callable[..., Verdict], name: str, said: str
) -> None:
    found = verdict(report(**{name: AS_GOOD}))
    assert found.outcome is Outcome.GO
    assert found.recommendation.action is Action.DO_NOT_DISTIL
    assert found.recommendation.text == (
        f"DO NOT DISTIL: {said}. The student may replace its teacher all the same: every required claim is shown at "
        "the stated confidence"
    )


def test_the_cheapest_of_several_is_named_first_and_a_better_one_is_called_better() -> None:
    found = advice(report(hard_labels=BEHIND, teacher_argmax=GAINED, tfidf=AS_GOOD))
    assert found is not None
    assert found.text == (
        f"TF-IDF with logistic regression on the true labels is as good {SEEN}: deploy that; also as good or better: "
        "the same student trained on the true labels (gain −3.5 points, −5.0 to −2.0)"
    )
    better = advice(report(hard_labels=BEHIND))
    assert better is not None
    assert "true labels is better (gain −3.5 points" in better.text


def test_after_no_go_it_stands_beside_the_remedy(verdict: Callable[..., Verdict]) -> None:
    found = verdict(report(hard_labels=AS_GOOD), MUCH_WORSE)
    assert found.outcome is Outcome.NO_GO
    assert found.recommendation.action is Action.RETRAIN
    assert "; and do not distil: the same student trained on the true labels is as good" in found.recommendation.text
    assert ".;" not in found.recommendation.text


def test_a_gain_that_is_not_shown_is_said_to_be_open_and_the_action_stays(verdict: Callable[..., Verdict]) -> None:
    found = verdict(report(hard_labels=OPEN, tfidf=GAINED))
    assert found.recommendation.action is Action.DEPLOY
    assert found.recommendation.text.endswith(
        "; the student is not shown to be better than the same student trained on the true labels (gain +1.0 points, "
        "−1.0 to +3.0)"
    )


def test_few_trainings_say_that_other_seeds_may_differ() -> None:
    for seeds, said in ((1, "one training each"), (2, "2 trainings each")):
        found = advice(report(seeds, hard_labels=AS_GOOD))
        assert found is not None
        assert found.text.endswith(
            f" ({said}, and other seeds may differ: give controls: {{against: […], seeds: 3}} or more)"
        )
    finished = advice(report(1, tfidf=AS_GOOD))
    assert finished is not None
    assert "seeds" not in finished.text


def test_what_could_not_be_measured_advises_nothing(verdict: Callable[..., Verdict]) -> None:
    missing = NotEstimable(reason="12 rows; 30 are needed", n=12, n_needed=30)
    assert advice(report(hard_labels=missing)) is None
    assert verdict(report(hard_labels=missing)) == verdict(None)


@pytest.mark.parametrize("counts", [SAME, MUCH_WORSE, {"both": 20}], ids=["go", "no-go", "inconclusive"])
@pytest.mark.parametrize("gain", [GAINED, AS_GOOD, OPEN, BEHIND])
def test_no_control_changes_outcome_or_checks(
    verdict: Callable[..., Verdict], counts: dict[str, int], gain: tuple[float, float]
) -> None:
    alone, beside = verdict(None, counts), verdict(report(hard_labels=gain), counts)
    assert (beside.outcome, beside.checks, beside.stability) == (alone.outcome, alone.checks, alone.stability)
