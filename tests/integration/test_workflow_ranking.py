"""The whole gate on a ranking: what is judged, and counted in every report, are queries."""

from __future__ import annotations

import re
from typing import Any

import pytest

from evalkit.record.run_record import RunRecord
from reports.html import render_html
from reports.markdown import render_markdown
from tests.recorded_kinds import generation, ranking
from tests.recorded_projects import Tables, over, record_of, write_project

RANKING: dict[str, Any] = {"task": {"kind": "ranking"}, "data": {"columns": {"query": "query"}}}
ASKED = {
    "subpopulations": {"by": ["language"]},
    "requirements": {"quality": {"overall_margin": 0.05, "subpopulation_margin": 0.05, "retention": 0.9}},
}
OF_ITEMS = ("both models answered", "these rows have given")


@pytest.fixture
def judged(tmp_path):
    def judge(tables: Tables, spec: dict[str, Any]) -> RunRecord:
        return record_of(write_project(tmp_path, tables, **over(spec, ASKED)))

    return judge


def test_the_evidence_and_what_is_missing_of_it_are_counted_in_queries(judged):
    record = judged(ranking(0.6, queries=200), RANKING)
    assert record.verdict.outcome == "INCONCLUSIVE"
    assert re.search(r"^COLLECT about [\d,]+ MORE QUERIES", record.verdict.recommendation.text)
    text = render_markdown(record)
    (line,) = (line for line in text.splitlines() if line.startswith("| state | subpopulation | "))
    assert line.startswith("| state | subpopulation | queries |")
    assert re.search(r"\| all queries \| 200 \|", text)
    assert re.search(r"About [\d,]+ more queries would decide it", text)
    assert re.search(r"From: \d+ queries", text)
    assert "over all queries" in text
    counted = [line for line in text.splitlines() if re.search(r"\brows?\b", line)]
    assert all(any(each in line for each in OF_ITEMS) for line in counted), counted
    page = render_html(record)
    assert '<th scope="col">queries</th>' in page
    assert "all rows" not in page


def test_a_copied_ranking_gives_every_query_the_same_answer(judged):
    tables = ranking(0.0, queries=200)
    record = judged(
        Tables(held_out=tables.held_out, teacher=tables.teacher, student=tables.student.iloc[::-1]), RANKING
    )
    assert record.verdict.deciding is not None
    assert "the same answer on every query" in record.verdict.deciding.explanation
    assert record.verdict.deciding.counted_in == "queries"


def test_other_tasks_are_counted_in_rows(judged):
    record = judged(generation(0.05, rows=200), {"task": {"kind": "generation"}})
    text = render_markdown(record)
    assert "quer" not in text
    assert "| state | subpopulation | rows |" in text
    assert "COLLECT about" in record.verdict.recommendation.text
    assert "MORE ROWS" in record.verdict.recommendation.text
