"""`evalkit metrics` lists what can be asked."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from evalkit.cli.metrics_command import metrics
from evalkit.quality.metrics.catalogue import KINDS, names


def printed(*arguments):
    app = typer.Typer()
    app.command()(metrics)
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_lists_its_metrics_and_no_others(kind):
    done = printed(kind)
    assert done.exit_code == 0
    first_words = {line.split()[0] for line in done.output.splitlines() if line.strip()}
    assert set(names(kind)) <= first_words
    assert all(other not in first_words for other in KINDS if other != kind)


def test_without_a_kind_all_are_listed():
    output = printed().output
    for kind in KINDS:
        for name in names(kind):
            assert name in output
    assert "package.module:function" in output


def test_direction_and_needs_are_shown():
    lines = {line.split()[0]: line for line in printed("classification").output.splitlines() if line.strip()}
    assert "lower" in lines["log_loss"]
    assert "(needs probabilities)" in lines["log_loss"]
    assert "higher" in lines["macro_f1"]
    assert "evalkit-gate[generation]" in printed("generation").output


def test_an_unknown_kind_is_a_usage_error():
    assert printed("regression").exit_code == 2


def test_importing_the_command_loads_nothing_heavy():
    code = (
        "import sys, evalkit.cli.metrics_command; print({'numpy', 'pandas', 'scipy', 'sacrebleu'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
