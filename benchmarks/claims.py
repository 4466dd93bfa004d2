"""What a benchmark claims: printed as a table, misses as misses, and kept as benchmarks/history/NAME-DATE.json."""

from __future__ import annotations

import datetime
import json
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.record.hardware import hardware, packages

ROOT = Path(__file__).resolve().parent.parent
HISTORY = ROOT / "benchmarks" / "history"
_SIGNIFICANT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A bound that the value keeps: ``sign`` is ≥ or ≤."""

    sign: str
    bound: float

    def holds(self, value: float) -> bool:
        """Whether ``value`` keeps the bound; nan keeps none."""
        return value >= self.bound if self.sign == "≥" else value <= self.bound

    def __str__(self) -> str:
        return f"{self.sign} {self.bound:g}"


def at_least(bound: float) -> Target:
    return Target(sign="≥", bound=bound)


def at_most(bound: float) -> Target:
    return Target(sign="≤", bound=bound)


def claim(
    name: str, values: float | Sequence[float], unit: str, target: Target | None = None, peer: str | None = None
) -> dict[str, Any]:
    """The median of the rounds' values against the target, and the rounds themselves.

    >>> claim("speed", [3.0, 1.0, 2.0], "×", at_least(1.6))["holds"]
    True
    """
    rounds = [float(value) for value in values] if isinstance(values, Sequence) else [float(values)]
    value = statistics.median(rounds)
    return {
        "claim": name,
        "value": _rounded(value),
        "unit": unit,
        "target": "none" if target is None else str(target),
        "holds": target is None or target.holds(value),
        "peer": peer,
        "rounds": [_rounded(each) for each in rounds],
    }


def void(name: str, reason: str, target: Target | None = None) -> dict[str, Any]:
    """A claim that was not measured, with the reason; it does not hold."""
    return {
        "claim": name, "value": None, "unit": "", "target": "none" if target is None else str(target), "holds": False,
        "peer": None, "rounds": [], "void": reason,
    }  # fmt: skip


def print_table(claims: Sequence[Mapping[str, Any]]) -> None:
    for each in claims:
        if "void" in each:
            print(f"{each['claim']:<88} VOID: {each['void']}")
            continue
        rounds = each["rounds"]
        spread = f"{min(rounds):g} to {max(rounds):g}" if len(rounds) > 1 else ""
        kept = "" if each["target"] == "none" else "holds" if each["holds"] else "MISSED"
        print(f"{each['claim']:<88} {each['value']:>9g} {each['unit']:<6} {spread:<20} {each['target']:<8} {kept}")


def write_history(name: str, claims: Sequence[Mapping[str, Any]], versions: Mapping[str, str], **more: Any) -> Path:
    """Writes benchmarks/history/NAME-DATE.json with versions, hardware and commit; returns its path."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    result = {
        "versions": packages() | dict(versions),
        "hardware": hardware(),
        "commit": commit.stdout.strip(),
        **more,
        "claims": list(claims),
    }
    path = HISTORY / f"{name}-{datetime.date.today().isoformat()}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return path


def _rounded(value: float) -> float:
    return float(f"{value:.{_SIGNIFICANT}g}")
