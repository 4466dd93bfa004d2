"""`evalkit selfcheck`: the gate tried on a user's own spec."""

from __future__ import annotations

import json

import pytest


def test_the_gate_keeps_its_word_on_recorded_rows(evalkit, recorded):
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100, rows=3000)
    done = evalkit("selfcheck", gate.name, "--simulations", "400", "--json", cwd=gate.parent)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["task"], found["simulations"], found["seed"], found["holds"]) == ("fixture", 400, 1, True)
    assert found["assumed"]["discordance_from"] == "observed"
    alike, *others = found["rates"]
    assert alike["truth"] == "no true difference"
    assert alike["no_go"]["point"] <= 0.05
    at_bar = [each for each in others if each["truth"] == "at the bar of one claim"]
    assert [each["subpopulation"] for each in at_bar] == ["all", "all", "channel=phone", "channel=shop", "channel=web"]
    assert all(each["false_go"] and each["go"]["point"] < 0.1 for each in at_bar)
    assert found["cross_checked"] >= 50
    assert "teacher_over_student_cost" in {each["name"] for each in found["left_out"]}
    assert not (gate.parent / "runs").exists(), "a self-check writes nothing"


def test_the_printed_table_says_what_is_false_and_what_is_left_out(evalkit, recorded):
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100, rows=3000)
    done = evalkit("selfcheck", gate.name, "--simulations", "200", cwd=gate.parent)
    assert done.returncode == 0, done.stderr
    assert "at its bar: gap in channel=web, margin 8" in done.stdout
    assert "The gate keeps its word here" in done.stdout
    assert "left out, and taken for shown where required: teacher_over_student_cost" in done.stdout


def test_a_promise_that_is_not_kept_is_exit_code_3(evalkit, recorded):
    """At 80 % confidence the score test errs far more often than promised when a student can only lose: here 100
    rows at a margin of one point, of which none is lost with chance 0.99^100 = 37 %."""
    gate = recorded(
        retention=1.0,
        teacher_usd=800,
        student_usd=100,
        rows=100,
        teacher={"load": "models/teacher"},
        student={"load": "models/student"},
        subpopulations={"by": []},
        requirements={"confidence": 0.8, "quality": {"overall_margin": 0.01, "retention": None}},
    )
    done = evalkit("selfcheck", gate.name, "--discordance", "0.01", "--json", cwd=gate.parent)
    assert done.returncode == 3, done.stderr
    found = json.loads(done.stdout)
    (at_bar,) = (each for each in found["rates"] if each["truth"] == "at the bar of one claim")
    assert at_bar["go_too_often"]
    assert at_bar["go"]["point"] == pytest.approx(0.99**100, abs=0.04)


def test_an_early_planned_look_that_may_spend_next_to_nothing_is_said_and_not_shown_as_no_error(evalkit, recorded):
    gate = recorded(
        retention=0.96,
        teacher_usd=800,
        student_usd=100,
        rows=3000,
        requirements={"confidence": 0.99, "looks": {"planned": 100, "spending": "obrien_fleming"}},
    )
    done = evalkit("selfcheck", gate.name, "--simulations", "200", cwd=gate.parent)
    assert done.returncode == 0, done.stderr
    assert "promised at most 1e-14 %, allowed 2e-14 %" in " ".join(done.stdout.split())


@pytest.mark.parametrize(("option", "value"), [("--simulations", "10"), ("--seed", "-1"), ("--discordance", "2")])
def test_options_out_of_range_are_usage_errors(evalkit, recorded, option, value):
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100, rows=300)
    assert evalkit("selfcheck", gate.name, option, value, cwd=gate.parent).returncode == 2
