"""One generator process for several runs, against a real HTTP server."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from loadtest import layout
from loadtest.errors import InputError, LoadTestError
from loadtest.generator_info import read_generator_info
from loadtest.plan import OpenLoopPlan, SaturationPlan
from loadtest.run import run_prepared
from loadtest.samples import read_samples
from loadtest.schedule import intended_times
from loadtest.standing import StandingGenerator, standing_generator
from tests.stub_serving import stub_server

pytestmark = pytest.mark.alone

TEXTS, LABELS = ["a", "b"], ["A", "B"]


def generators() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if "loadtest.generator" in each.cmdline()]


def run(generator: StandingGenerator, plan: OpenLoopPlan | SaturationPlan, folder: Path) -> Path:
    return run_prepared(plan, TEXTS, LABELS, folder, lambda: generator.run(plan, folder))


def test_one_process_runs_one_plan_after_the_other_each_by_its_own_schedule(tmp_path: Path) -> None:
    with stub_server() as url, standing_generator(tmp_path / "log") as generator:
        (first,) = generators()
        for seed, rate_rps in ((1, 60.0), (2, 30.0)):
            plan = OpenLoopPlan(url=url, rate_rps=rate_rps, duration_s=1.0, warmup_s=0.2, seed=seed)
            here = tmp_path / str(seed)
            samples = read_samples(run(generator, plan, here))
            assert samples["intended_s"].tolist() == intended_times(plan).tolist()
            assert samples["label_matches"].all()
            info = read_generator_info(here / layout.GENERATOR)
            assert info.sent == len(samples)
            assert 1.0 < info.wall_s < 2.5, "the clock of a run begins with the run"
            assert 0 < info.cpu_share < 0.95
        saturated = read_samples(run(generator, SaturationPlan(url=url, clients=2, duration_s=1.0), tmp_path / "3"))
        assert saturated["ok"].all()
        assert generators() == [first]
    assert not first.is_running()


def test_a_standing_generator_that_dies_is_an_error_and_not_an_empty_run(tmp_path: Path) -> None:
    plan = OpenLoopPlan(url="http://127.0.0.1:9", rate_rps=20, duration_s=1.0)
    with standing_generator(tmp_path / "log") as generator:
        (process,) = generators()
        process.kill()
        with pytest.raises(LoadTestError, match="ended with status -9"):
            run(generator, plan, tmp_path / "run")
    assert not (tmp_path / "run" / layout.SAMPLES).exists()


def test_what_cannot_be_run_is_said_as_by_any_other_generator(tmp_path: Path) -> None:
    plan = OpenLoopPlan(url="http://no-such-host.invalid", rate_rps=20, duration_s=1.0)
    with pytest.raises(InputError, match=r"no-such-host\.invalid"), standing_generator(tmp_path / "log") as generator:
        run(generator, plan, tmp_path / "run")
    assert generators() == []
