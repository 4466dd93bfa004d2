"""The files of a search: the result, and a line for each trial as soon as it is done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from loadtest.capacity.result import CapacityResult
from loadtest.capacity.session import Observer
from loadtest.capacity.trial import Trial
from loadtest.layout import write_atomically

RESULT, TRIALS, SAMPLES = "capacity.json", "trials.csv", "trials"


def write_result(path: Path, result: CapacityResult) -> None:
    """The whole result as JSON, trials included."""
    from pydantic import TypeAdapter

    written = TypeAdapter(CapacityResult).dump_json(result, indent=2)
    write_atomically(path, lambda partial: partial.write_bytes(written + b"\n"))


def read_result(path: Path) -> CapacityResult:
    """What :func:`write_result` wrote. Raises ValueError (pydantic's) for anything else."""
    from pydantic import TypeAdapter

    return TypeAdapter(CapacityResult).validate_json(path.read_bytes())


def trial_table(trials: Sequence[Trial]) -> pd.DataFrame:
    """One row a trial, in the order in which they ran."""
    return pd.DataFrame(
        [
            {
                "number": trial.asked.number,
                "step": trial.asked.step,
                "rate_rps": round(trial.rate_rps, 3),
                "seconds": round(trial.asked.seconds, 3),
                "warmup_s": round(trial.asked.warmup_s, 3),
                "seed": trial.asked.seed,
                "side": trial.side.value,
                "requests": trial.measured.requests,
                "over_limit": trial.measured.over_limit,
                "failed": trial.measured.failed,
                "p99_ms": trial.measured.p99_ms,
                "void": " ".join(trial.measured.void_reasons),
            }
            for trial in trials
        ]
    )


def keeping(folder: Path, then: Observer) -> Observer:
    """An observer that writes trials.csv anew after each trial, so that an interrupted search leaves what it saw."""
    seen: list[Trial] = []

    def observe(trial: Trial) -> None:
        seen.append(trial)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / TRIALS, lambda path: trial_table(seen).to_csv(path, index=False))
        then(trial)

    return observe
