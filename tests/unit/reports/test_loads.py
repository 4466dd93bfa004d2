"""What the reports say of each model under load, from an analysis of samples with a known story."""

from __future__ import annotations

import dataclasses
import json
import re
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

import numpy as np
import pytest
from pydantic import TypeAdapter

from evalkit.record.run_record import LoadReport, RunRecord
from loadtest.analysis import LoadAnalysis, analyse
from loadtest.plan import OpenLoopPlan
from loadtest.samples import read_samples
from loadtest.schedule import intended_times
from reports.html import render_html
from reports.load_chart import load_chart
from reports.load_lines import certificate_text, drift_text, load_views, warm_up_text
from reports.markdown import render_markdown
from reports.states import HOLDS, LOOK, VOID
from reports.validity import validity
from reports.view import page_of
from tests.unit.loadtest.made_samples import Sample, write_samples
from tests.unit.reports import records
from tests.unit.reports.measured import load
from tests.unit.reports.reading import HtmlReport

PLAN = OpenLoopPlan(
    url="http://127.0.0.1:1", rate_rps=200.0, duration_s=20.0, warmup_s=1.0, seed=3, timeout_s=2.0, limit_ms=100.0
)
LIMITS = {"max_foreign_cpu_share": 0.05, "min_achieved_ratio": 0.99}


@cache
def analysed(slower_by: float = 1.0, refused_every: int = 0, limit_ms: float | None = 100.0) -> LoadAnalysis:
    """A server whose last third takes ``slower_by`` times as long."""
    rng, rows = np.random.default_rng(1), []
    for number, at_s in enumerate(intended_times(PLAN).tolist()):
        took_s = (0.003 + rng.exponential(0.002)) * (slower_by if at_s > 14.4 else 1.0)
        ok = not (refused_every and number % refused_every == 0)
        rows.append(Sample(at_s, number % 4, at_s, at_s + took_s, 200 if ok else 429, ok, True))
    with TemporaryDirectory() as folder:
        write_samples(Path(folder) / "samples.parquet", rows, PLAN.warmup_s)
        samples = read_samples(Path(folder) / "samples.parquet")
    samples["tag_channel"] = np.where(samples["payload"] < 3, "mail", "<b>chat</b>")
    return analyse(samples, dataclasses.replace(PLAN, limit_ms=limit_ms), 0.9)


def report(analysis: LoadAnalysis, role: str = "student", separated: bool = True, **more: object) -> LoadReport:
    pinning = {
        "provider": "cpu",
        "server_cores": [0],
        "generator_core": 1 if separated else None,
        "separated": separated,
    }
    plain = load(role)
    figures = {**plain.figures, "checked_labels": 1200.0, "foreign_cpu_share": 0.013}
    return dataclasses.replace(
        plain, analysis=analysis, pinning={**plain.pinning, **pinning}, limits=LIMITS, figures=figures, **more
    )


def record(*loads: LoadReport) -> RunRecord:
    return dataclasses.replace(records.go(), loads=loads)


def test_the_certificate_says_outcome_counts_and_how_many_were_allowed():
    text = certificate_text(report(analysed()))
    assert re.match(r"holds at 95 % confidence: 0 of 3,\d\d\d requests took more than 100 ms; \d+ were allowed", text)


def test_an_open_certificate_says_how_many_more_requests_it_needs():
    analysis = analysed()
    assert analysis.certificate is not None
    assert analysis.summary.observed_p99_ms is not None
    close = dataclasses.replace(
        analysis, certificate=analysed(limit_ms=analysis.summary.observed_p99_ms * 1.05).certificate
    )
    text = certificate_text(report(close))
    assert text.startswith("open at 95 % confidence")
    assert re.search(r"about [\d,]+ more requests would decide it", text)


def test_drift_is_told_with_the_thirds_and_a_steady_run_has_none():
    assert drift_text(report(analysed())).startswith("none found: p50 ")
    text = drift_text(report(analysed(1.6)))
    assert text.startswith("the thirds of the run differ: p50 ")
    assert "(p < 0.001)" in text


def test_the_warm_up_says_what_was_cut_and_that_the_rest_is_alike():
    assert warm_up_text(report(analysed())) == "the first 1 s do not count; the 2 s after them are like the rest"


@pytest.mark.parametrize("slower_by", [1.0, 1.6])
def test_drift_is_a_reason_to_look_before_any_effect(slower_by):
    states = {each.name: each.state for each in validity(record(report(analysed(slower_by))))}
    assert states["Steady, student"] is (LOOK if slower_by > 1 else HOLDS)
    assert states["Own cores, student"] is HOLDS


def test_server_and_generator_that_were_not_separated_say_so():
    (view,) = load_views(record(report(analysed(), separated=False)))
    assert dict(view.facts)["Cores"].startswith("not separated")
    found = {each.name: each for each in validity(record(report(analysed(), separated=False)))}
    assert found["Own cores, student"].state is LOOK


def test_both_reports_tell_refusals_certificate_cores_limits_and_subpopulations():
    loads = record(report(analysed(refused_every=25)), report(analysed(), "teacher"))
    page, markdown = HtmlReport(render_html(loads)), render_markdown(loads)
    for text in (page.text, markdown):
        assert "Under load: the student" in text
        assert "4.00 % (" in text or "3.99 % (" in text or "4.01 % (" in text
        assert "server on 0, generator on 1; others used 1.3 % of the server's" in text
        assert "0 of 1,200 served answers differ from the offline ones" in text
        assert "channel mail" in text
    assert "max foreign cpu share 0.05" in page.text
    assert "<b>chat" not in render_html(loads)
    assert "<b>chat" not in markdown


def test_the_chart_has_a_line_for_each_quantile_the_limit_and_words_for_those_who_do_not_see_it():
    svg = str(load_chart(report(analysed(refused_every=25))))
    tree = ElementTree.fromstring(svg)
    said = "".join(tree.itertext())
    assert "Latency of the student over the run" in said
    assert re.search(r"\d+ requests failed\.", said)
    assert {"p50", "p99"} <= set(tree.itertext())
    assert "var(--failed)" in svg
    assert "#0000" not in svg
    assert svg.count("<path") > 10


def test_the_page_holds_a_chart_for_each_model():
    text = render_html(record(report(analysed()), report(analysed(), "teacher")))
    assert 'aria-labelledby="load-student-title"' in text
    assert 'aria-labelledby="load-teacher-title"' in text


def test_of_a_void_latency_nothing_is_shown():
    void = report(analysed(), void_reasons=("It was late.",), latency_void_reasons=("It was late.",))
    page = page_of(record(void))
    assert page.loads == ()
    assert "Under load" not in render_html(record(void))
    (condition,) = [each for each in page.validity if each.state is VOID]
    assert (condition.name, condition.text) == ("Load, student", "It was late.")


def test_a_void_saturation_leaves_the_latency_standing():
    void = report(analysed(), void_reasons=("Busy.",), saturation_void_reasons=("Busy.",))
    page = page_of(record(void))
    assert len(page.loads) == 1
    (condition,) = [each for each in page.validity if each.state is VOID]
    assert condition.name == "Saturation, student"
    assert any("■ VOID, its saturation: Busy." in note for note in page.side_by_side.load)


def test_a_record_from_before_the_analysis_is_read_and_shown():
    kind = TypeAdapter(LoadReport)
    old = kind.dump_python(load("student", ("It was late.",)), mode="json")
    for name in ("latency_void_reasons", "saturation_void_reasons", "limits", "analysis"):
        del old[name]
    found = kind.validate_json(json.dumps(old))
    assert found.latency_void == found.saturation_void == ("It was late.",)
    assert page_of(record(found)).loads == ()


def test_an_analysis_survives_the_record():
    kind = TypeAdapter(LoadReport)
    whole = report(analysed(1.6, 25))
    assert kind.validate_json(json.dumps(kind.dump_python(whole, mode="json"), allow_nan=False)) == whole
