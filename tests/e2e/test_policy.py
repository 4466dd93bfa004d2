"""`evalkit policy`: what is printed is what the gate reads, and may be edited."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalkit.spec.policy import PRESETS

POLICIES = Path(__file__).resolve().parents[2] / "evalkit" / "spec" / "policies"


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_printed_as_it_is_written(evalkit, tmp_path, name):
    done = evalkit("policy", name, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout == (POLICIES / f"{name}.yaml").read_text(encoding="utf-8")


def test_without_a_name_each_is_listed_with_what_it_is_for(evalkit, tmp_path):
    lines = evalkit("policy", cwd=tmp_path).stdout.splitlines()
    assert [line.split(": ")[0] for line in lines] == list(PRESETS)
    assert all(len(line.split(": ")[1]) > 20 for line in lines)


def test_an_unknown_name_is_refused_with_the_known_ones(evalkit, tmp_path):
    done = evalkit("policy", "lenient", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "error: policy lenient is not known; there are strict, balanced, exploratory\n"


def test_a_printed_policy_that_was_edited_decides_otherwise(evalkit, recorded):
    gate = recorded(retention=0.99, teacher_usd=150, student_usd=100, rows=4_000, discovery=None, policy="ours.yaml")
    printed = evalkit("policy", "balanced", cwd=gate.parent).stdout
    assert "cost_reduction: 2.0" in printed

    def outcome(policy: str) -> str:
        (gate.parent / "ours.yaml").write_text(policy)
        return json.loads(evalkit("check", gate.name, "--json", cwd=gate.parent).stdout)["outcome"]

    assert outcome(printed) == "NO-GO"
    assert outcome(printed.replace("cost_reduction: 2.0", "cost_reduction: 1.2")) == "GO"
