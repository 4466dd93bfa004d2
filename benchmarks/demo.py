"""How long the demo takes after installation, from nothing and again, and how quickly the command line answers.

    python benchmarks/demo.py        # about ten minutes on two cores; downloads the example's packages

Works on a copy of the examples in a temporary folder, so that nothing is found finished. Writes
benchmarks/history/demo-DATE.json and prints the same as a table. There is no peer: nobody else offers the
whole path in one command; the targets are the project's own.
"""

from __future__ import annotations

import datetime
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from evalkit.record.hardware import hardware, packages

ROOT = Path(__file__).resolve().parent.parent
HISTORY = ROOT / "benchmarks" / "history"
VERDICTS = (0, 1, 3)
HELP_REPEATS = 15


def timed(*command: str, cwd: Path, allowed: tuple[int, ...] = (0,)) -> float:
    """Wall seconds of a command. Raises SystemExit where it fails."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, *command], cwd=cwd, stdout=subprocess.DEVNULL, check=False)
    if done.returncode not in allowed:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")
    return time.perf_counter() - started


def claim(name: str, value: float, unit: str, target: float) -> dict[str, object]:
    return {
        "claim": name, "value": round(value, 3), "unit": unit, "target": target, "holds": value <= target, "peer": None,
    }  # fmt: skip


def measure(folder: Path) -> list[dict[str, object]]:
    example = folder / "examples" / "channel_sentiment"
    shutil.copytree(
        ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("build", "runs", "__pycache__")
    )
    gate = ("-m", "evalkit", "check", str(example / "gate.yaml"))
    prepare = timed(str(example / "prepare.py"), cwd=folder)
    first = timed(*gate, cwd=folder, allowed=VERDICTS)
    again = timed(str(example / "prepare.py"), cwd=folder) + timed(*gate, cwd=folder, allowed=VERDICTS)
    (report,) = example.glob("runs/*/report.html")
    helped = [timed("-m", "evalkit", "--help", cwd=folder) for _ in range(HELP_REPEATS)]
    print(f"prepare {prepare:.0f} s, check {first:.0f} s; help {min(helped):.3f} to {max(helped):.3f} s")
    return [
        claim("the demo after installation, from nothing", prepare + first, "s", 600),
        claim("the demo again, everything found finished", again, "s", 90),
        claim("the report", report.stat().st_size / 1e6, "MB", 1),
        claim(f"evalkit --help, median of {HELP_REPEATS}", statistics.median(helped), "s", 0.4),
    ]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        claims = measure(Path(folder))
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    result = {"versions": packages(), "hardware": hardware(), "commit": commit.stdout.strip(), "claims": claims}
    path = HISTORY / f"demo-{datetime.date.today().isoformat()}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")
    for each in claims:
        kept = "holds" if each["holds"] else "MISSED"
        print(f"{each['claim']:<45} {each['value']:>10} {each['unit']:<3} target {each['target']:<5} {kept}")
    print(path)


if __name__ == "__main__":
    main()
