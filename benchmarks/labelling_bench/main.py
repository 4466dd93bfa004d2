"""The labelling run, what the server counted of it, and the claims."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.claims import at_least, at_most, claim, print_table, write_history
from evalkit.spec.teacher_api import TeacherApi
from evalkit.teachers.answers import AnswerStore
from evalkit.teachers.asking import ask_all, missing
from evalkit.teachers.request import held_out_prompt

LABELS = ("no", "yes")
SERVER = Path(__file__).with_name("faulty_api.py")
FAULT_SHARE, LATENCY_MS, CONCURRENCY, TIMEOUT_S = 0.02, 5, 24, 2.0
KEY = "LABELLING_BENCHMARK_KEY"


class Memory:
    """The resident size of this process, once in a while."""

    def __init__(self, every: int) -> None:
        self._process, self._every = psutil.Process(), every
        self.megabytes: list[float] = []

    def __call__(self, done: int, total: int) -> None:
        if done % self._every == 0:
            self.megabytes.append(self._process.memory_info().rss / 1e6)
            print(f"{done:,} of {total:,}: {self.megabytes[-1]:.0f} MB", file=sys.stderr, flush=True)


def main(description: str | None) -> None:
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--prompts", type=int, default=100_000)
    options.add_argument("--dry", action="store_true")
    given = options.parse_args()
    os.environ.setdefault(KEY, "any")
    command = [
        sys.executable, str(SERVER), "--fault-share", str(FAULT_SHARE), "--latency-ms", str(LATENCY_MS),
        "--silent-s", str(2 * TIMEOUT_S),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server, tempfile.TemporaryDirectory() as folder:
        try:
            assert server.stdout is not None
            found = measure(int(server.stdout.readline()), given.prompts, Path(folder) / "answers.sqlite")
        finally:
            server.kill()
    print_table(found["claims"])
    if not given.dry:
        found_claims = found.pop("claims")
        print(write_history("labelling", found_claims, {"openai": importlib.metadata.version("openai")}, **found))


def measure(port: int, prompts: int, path: Path) -> dict[str, Any]:
    """One run, then what the store holds and what the server counted."""
    texts = [f"prompt number {number:06d}{'!' * (number % 3)}" for number in range(prompts)]
    api = TeacherApi(
        base_url=f"http://127.0.0.1:{port}/v1", model="planned", key_env=KEY, concurrency=CONCURRENCY,
        timeout_s=TIMEOUT_S, max_tokens=4,
    )  # fmt: skip
    prompt, memory = held_out_prompt(api, LABELS), Memory(max(1, prompts // 20))
    with AnswerStore(path) as store:
        started = time.perf_counter()
        tally = ask_all(api, store, missing(store, prompt, texts, 1), np.random.default_rng(1), memory)
        seconds = time.perf_counter() - started
        kept = [store.answer(prompt.key(prompt.question(text))) for text in texts]
    wrong = sum(
        answer is None or answer.text != LABELS[len(text) % len(LABELS)]
        for answer, text in zip(kept, texts, strict=True)
    )
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/counts", timeout=30) as said:
        counts = json.load(said)
    growth = memory.megabytes[-1] - memory.megabytes[1]
    claims = [
        claim(f"{prompts:,} prompts: answers lost or not the one given", wrong, "", at_most(0)),
        claim(
            "prompts asked again after a success, as the server counted", counts["asked_after_success"], "", at_most(0)
        ),
        claim("answers that the server gave beyond one a prompt", counts["answered"] - prompts, "", at_most(0)),
        claim(
            "share of requests that met a fault", sum(counts["faults"].values()) / counts["asked"], "", at_least(0.015)
        ),
        claim("prompts a second", prompts / seconds, "/s", at_least(500)),
        claim("resident memory gained from a tenth of the answers to the last", growth, "MB", at_most(10)),
    ]
    return {
        "claims": claims,
        "settings": {
            "prompts": prompts, "fault_share": FAULT_SHARE, "latency_ms": LATENCY_MS, "concurrency": CONCURRENCY,
        },
        "seconds": round(seconds, 1),
        "server": counts,
        "requests_sent_again": tally.repeated,
        "resident_megabytes": [round(each, 1) for each in memory.megabytes],
    }  # fmt: skip
