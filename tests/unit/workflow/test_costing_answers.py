"""Usage that an API did not count leaves the cost open, and says why."""

from __future__ import annotations

import numpy as np

from evalkit.cost.usage import Usage
from evalkit.spec.cost import Cost
from evalkit.stats.interval import Interval, NotEstimable
from evalkit.workflow.costing import Costs, RecordedUsage, judge_cost

READ = {"source": "price list", "date": "2026-11-01"}
COST = Cost.model_validate(
    {
        "teacher": {"tokens": {"usd_per_million_input": 1.0, "usd_per_million_output": 2.0}, **READ},
        "student": {"usd_per_million_requests": 5.0, **READ},
    }
)
CALLS = np.tile([20.0, 30.0], 50)
COUNTED = Usage(input_tokens=CALLS, output_tokens=CALLS * 0 + 1, cached_tokens=CALLS * 0, answered=CALLS * 0 + 1)


def judged(usage: Usage | NotEstimable) -> Costs:
    recorded = {"teacher": RecordedUsage(usage=usage, digest="d", source="teacher.api's own answers")}
    return judge_cost(COST, recorded, {}, 0.9, seed=1)


def test_counted_answers_give_the_cost_the_reduction_and_where_they_are_from():
    costs = judged(COUNTED)
    teacher, _, reduction = (each.value for each in costs.measurements)
    assert isinstance(teacher, Interval)
    assert teacher.point == 27.0
    assert isinstance(reduction, Interval)
    assert reduction.point == 27.0 / 5.0
    assert costs.report is not None
    assert costs.report.usage["teacher"].source == "teacher.api's own answers"


def test_answers_that_were_not_counted_give_none_of_it():
    costs = judged(NotEstimable(reason="teacher.api counted no tokens in 3 of 100 answers", n=97))
    for name, value in ((each.name, each.value) for each in costs.measurements):
        if name != "student_usd_per_million_requests":
            assert isinstance(value, NotEstimable)
            assert value.reason == "teacher.api counted no tokens in 3 of 100 answers"
    assert costs.report is not None
    assert costs.report.usage == {}
