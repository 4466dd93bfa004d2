"""What distilling gained, as a reader sees it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from evalkit.quality.controls import Budget, ControlLine, ControlsReport
from evalkit.record.run_record import RunRecord, read_record, write_record
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from reports.html import render_html
from reports.markdown import render_markdown
from tests.unit.reports import records
from tests.unit.reports.hostile import HOSTILE
from tests.unit.reports.reading import HtmlReport, markdown_table, unescaped

HEADING = "the student's gain over it"
SAME, OPEN = "the same student trained on the true labels", "(gain +1.0 points, −1.0 to +3.0)"
BUDGET = Budget(rows=1200, steps=375, seconds=74.2)


def between(lower: float, upper: float) -> Interval:
    return Interval(point=(lower + upper) / 2, lower=lower, upper=upper, level=0.95, n=900, method="planted")


def record_with(seeds: int = 3, **gains: Estimate) -> RunRecord:
    def line(name: str, gain: Estimate | None, budget: Budget, trainings: int, note: str = "") -> ControlLine:
        return ControlLine(
            name=name, trainings=trainings, accuracy=between(0.81, 0.85), gain=gain, budget=budget, note=note
        )

    controls = tuple(
        line(name, gain, Budget() if name.startswith("load") else BUDGET, 1 if name == "tfidf" else seeds, "slow")
        for name, gain in gains.items()
    )
    report = ControlsReport(
        student=line("student", None, BUDGET, seeds),
        controls=controls,
        level=0.90,
        seeds=seeds,
        worth=0.01,
        taught=True,
    )
    return dataclasses.replace(records.go(), controls=report)


def texts_of(record: RunRecord) -> tuple[str, str]:
    markdown = unescaped(render_markdown(record)).replace("**", "").replace("## ", "")
    return HtmlReport(render_html(record)).text, " ".join(markdown.split())


def test_every_control_stands_with_its_accuracy_gain_and_budget() -> None:
    record = record_with(
        hard_labels=between(0.01, 0.05),
        teacher_argmax=between(-0.01, 0.03),
        tfidf=between(-0.006, 0.004),
        **{"load: models/other": between(-0.08, -0.04)},
    )
    found = [HtmlReport(render_html(record)).table(HEADING), markdown_table(render_markdown(record), HEADING)]
    for rows in found:
        assert rows[0] == [
            "○ see claims", "the student", "83.0 (81.0 to 85.0) %", "none", "3", "1,200 rows, 375 steps, 1 min 14 s",
        ]  # fmt: skip
        assert [(row[0], row[3]) for row in rows[1:]] == [
            ("● gain shown", "+3.0 (+1.0 to +5.0) points"),
            ("◇ not shown", "+1.0 (−1.0 to +3.0) points"),
            ("▲ as good", "−0.1 (−0.6 to +0.4) points"),
            ("▲ better", "−6.0 (−8.0 to −4.0) points"),
        ]
        assert rows[3][1:2] + rows[3][4:5] == ["TF-IDF with logistic regression on the true labels (slow)", "1"]
        assert rows[4][1:2] + rows[4][5:] == ["models/other (slow)", "not trained here"]


@pytest.mark.parametrize(
    ("gains", "meaning"),
    [
        (
            {"hard_labels": between(0.01, 0.05)},
            "The student is shown to be better than the control: distilling gained something.",
        ),
        (
            {"hard_labels": between(0.01, 0.05), "tfidf": between(0.02, 0.04)},
            "The student is shown to be better than each of the 2 controls: distilling gained something.",
        ),
        (
            {"hard_labels": between(-0.006, 0.004)},
            f"Nothing speaks for distilling: {SAME} is as good as the student or better.",
        ),
        (
            {"hard_labels": between(-0.01, 0.03)},
            f"Whether distilling gained anything is open: the student is not shown to be better than {SAME} {OPEN}.",
        ),
        (
            {"hard_labels": NotEstimable(reason="12 rows; 30 are needed", n=12, n_needed=30)},
            "What the student has over its controls could not be measured.",
        ),
    ],
    ids=["one", "two", "as good", "open", "not measured"],
)
def test_one_sentence_says_what_it_means(gains: dict[str, Estimate], meaning: str) -> None:
    for text in texts_of(record_with(**gains)):
        assert f"What did distilling gain? {meaning} A gain is the student's accuracy less the control's" in text


@pytest.mark.parametrize(
    ("seeds", "over"),
    [(3, "over rows and 3 seeds: another seed gives another model"), (1, "over rows alone: they are")],
)
def test_it_says_what_the_intervals_are_over_and_that_they_hold_together(seeds: int, over: str) -> None:
    for text in texts_of(record_with(seeds, hard_labels=between(0.01, 0.05))):
        assert f"The intervals of all gains hold together at 90 %, {over}" in text
        assert "where a gain of +1.0 points or more is excluded" in text


def test_without_controls_there_is_no_section() -> None:
    for text in texts_of(records.go()):
        assert "What did distilling gain?" not in text


def test_a_hostile_folder_name_changes_no_markup() -> None:
    record = record_with(**{f"load: {HOSTILE}": between(0.01, 0.05)})
    assert len(HtmlReport(render_html(record)).table(HEADING)) == 2
    assert len(markdown_table(render_markdown(record), HEADING)) == 2


def test_controls_come_back_from_the_record_and_one_from_before_them_is_still_read(tmp_path: Any) -> None:
    import json

    from evalkit.record.layout import RunFolder

    run = RunFolder(tmp_path)
    record = record_with(hard_labels=between(0.01, 0.05))
    write_record(run, record)
    assert read_record(tmp_path).controls == record.controls
    content = json.loads(run.record.read_text())
    del content["controls"]
    run.record.write_text(json.dumps(content))
    assert read_record(tmp_path).controls is None
