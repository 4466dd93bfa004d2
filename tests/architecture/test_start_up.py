"""What may be imported where, and how fast the command line answers."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

HEAVY = ("torch", "transformers", "onnxruntime", "pandas", "scipy", "sklearn", "fastapi", "locust", "altair")
MODULES_AFTER = "import sys, {module}; print(','.join(name for name in {heavy!r} if name in sys.modules))"


def loaded_by(module: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", MODULES_AFTER.format(module=module, heavy=HEAVY)],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name for name in done.stdout.strip().split(",") if name}


def test_the_command_line_loads_nothing_heavy():
    assert loaded_by("evalkit.cli.app") == set()


@pytest.mark.parametrize("module", ["evalkit.decision.verdict", "evalkit.quality.paired_gap", "evalkit.workflow.check"])
def test_what_decides_loads_neither_models_nor_servers(module):
    assert not loaded_by(module) & {"torch", "transformers", "onnxruntime", "fastapi", "locust"}


def test_help_answers_within_400_milliseconds_of_processor_time():
    """Processor time, not wall time: other tests may share the cores. The best of five."""
    import resource

    spent = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "evalkit", "--help"], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor = (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)
        spent.append(min(processor, time.perf_counter() - started))
    assert min(spent) <= 0.4
