"""What every stage of one run shares, and how it says what it is doing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from evalkit.record.layout import RunFolder
from evalkit.record.stages import StageResult, run_stage
from evalkit.spec.gate import GateSpec
from evalkit.spec.loading import LoadedSpec


class Reporter(Protocol):
    """Somebody who wants to know how far the run is."""

    def started(self, stage: str) -> None: ...

    def progress(self, share: float, note: str) -> None:
        """``share`` of the running stage is done, from 0 to 1."""

    def finished(self, result: StageResult) -> None: ...


class Silence:
    """A reporter for callers who do not care."""

    def started(self, stage: str) -> None: ...

    def progress(self, share: float, note: str) -> None: ...

    def finished(self, result: StageResult) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One run of one spec. ``done`` collects the stages in their order.

    ``granted`` is the one-sided confidence that a planned look at the held-out set may use; None means the spec's.
    """

    loaded: LoadedSpec
    run: RunFolder
    reporter: Reporter
    done: list[StageResult] = field(default_factory=list)
    granted: float | None = None

    @property
    def spec(self) -> GateSpec:
        return self.loaded.spec

    @property
    def confidence(self) -> float:
        """The one-sided confidence of every claim."""
        return self.spec.requirements.confidence if self.granted is None else self.granted

    @property
    def level(self) -> float:
        """The two-sided level whose ends are bounds at that confidence."""
        return 2.0 * self.confidence - 1.0

    def stage(self, name: str, version: int, inputs: Mapping[str, Any], work: Callable[[Path], None]) -> StageResult:
        """Finds or does one stage, and tells the reporter. Asked for twice in a run it is listed once."""
        self.reporter.started(name)
        result = run_stage(self.run, name, version, inputs, work)
        self.reporter.finished(result)
        if all(each.key != result.key for each in self.done):
            self.done.append(result)
        return result
