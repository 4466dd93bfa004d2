"""Every precision of a model side by side, and the command that prints them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from evalkit.errors import DataError
from evalkit.packaging.precision import Precision
from evalkit.packaging.trade import FEWEST_TEXTS, variants
from serving.engine import Engine
from serving.provider import Provider
from tests.tiny_classifiers import texts_and_labels


@pytest.fixture(scope="module")
def texts():
    return texts_and_labels(120, seed=8)["text"].tolist()


@pytest.fixture(scope="module")
def lines(tiny_fp32, texts, tmp_path_factory):
    return variants(tiny_fp32, tmp_path_factory.mktemp("made"), texts[20:], texts[:20], threads=1, rounds=3)


def test_every_variant_is_made_served_and_compared_with_fp32(lines):
    fp32, *others = lines
    assert [each.precision for each in lines] == list(Precision)
    assert (fp32.parity.largest_logit_difference, fp32.ms_ratio, fp32.texts_per_s_ratio) == (0.0, 1.0, 1.0)
    for each in others:
        assert each.parity.compared_with == "fp32"
        assert 0 < each.parity.largest_logit_difference < 0.3
        assert each.parity.texts == 100
        assert Engine.load(each.folder, provider=Provider.CPU).classify(["great"]).probabilities.shape == (1, 3)


def test_size_and_speed_are_those_of_the_file_and_the_engine(lines):
    for each in lines:
        assert each.megabytes == pytest.approx((each.folder / "model.onnx").stat().st_size / 1e6)
        assert 0 < each.speed.ms < 1000
        assert each.speed.texts_per_s > 0


def test_few_texts_compare_nothing(tiny_fp32, tmp_path):
    with pytest.raises(DataError, match=rf"there are 1 different texts; give at least {FEWEST_TEXTS}"):
        variants(tiny_fp32, tmp_path, ["great"] * 100, ["great"], threads=1, rounds=1)


def test_the_command_prints_every_variant_and_keeps_the_folders(tiny_fp32, tmp_path):
    texts_and_labels(120, seed=8).to_csv(tmp_path / "texts.csv", index=False)
    command = [sys.executable, "-m", "evalkit", "variants", str(tiny_fp32), "--texts", "texts.csv", "--out", "kept"]
    command += ["--rounds", "1", "--calibration-rows", "20"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={"COLUMNS": "140"}, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.split()[0] for line in done.stdout.splitlines() if line.strip()]
    assert [precision for precision in Precision if precision in rows] == list(Precision)
    assert "against fp32 on 100 texts, int8_static from 20 others" in done.stdout
    assert {path.name for path in (tmp_path / "kept").iterdir()} == set(Precision)
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stderr) == (2, "error: kept exists; remove it or name another folder\n")
