"""One side is served in less than fp32 where the spec says so, and the gate judges the very file that is served."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalkit.data.evenly import evenly
from evalkit.workflow.gate import Gate
from evalkit.workflow.inputs import Inputs

FLIP_TEXTS = 2048
FP32 = "fp32"

Answer = Callable[[Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction:
    """The precision below fp32 that one side is asked to be served in."""

    gate: Gate
    inputs: Inputs
    precision: str

    @property
    def stated(self) -> dict[str, Any]:
        """What the key of the stage further rests on."""
        serve = self.gate.spec.serve
        stated: dict[str, Any] = {
            "precision": self.precision,
            "most_label_flips": serve.most_label_flips,
            "provider": where_compared(self.gate),
            "held_out": self.inputs.digests["held_out"],
            "text": self.gate.spec.data.columns.text,
        }
        if self.precision == "int8_static":
            stated |= {"train": self.inputs.digests["train"], "calibration_rows": serve.calibration_rows}
        return stated

    def replace(self, model: Path, original: Answer, source: str) -> dict[str, Any]:
        """Puts the variant in the place of the fp32 folder ``model``; returns its parity with ``original``."""
        from evalkit.packaging.package import Reduced, calibration_texts, reduce
        from evalkit.packaging.precision import Precision

        serve, held_out = self.gate.spec.serve, self.inputs.held_out.texts
        calibration: tuple[str, ...] = ()
        if self.precision == Precision.INT8_STATIC:
            assert self.inputs.train is not None  # the spec was refused without
            calibration = calibration_texts(self.inputs.train.texts, held_out, serve.calibration_rows)
        asked = Reduced(
            precision=Precision(self.precision),
            calibration=calibration,
            most_label_flips=serve.most_label_flips,
            provider=where_compared(self.gate),
            threads=serve.threads,
        )
        texts = evenly(tuple(dict.fromkeys(held_out)), FLIP_TEXTS)
        self.gate.reporter.progress(0.8, f"making {self.precision} and comparing it with {source}")
        return asdict(reduce(model, asked, texts, lambda: original(texts), source))


def where_compared(gate: Gate) -> str:
    """The provider on which a variant is compared. auto would let the comparison depend on the machine."""
    return "cuda" if gate.spec.serve.provider == "cuda" else "cpu"


def reduction(gate: Gate, inputs: Inputs, role: str) -> Reduction | None:
    """What is asked of ``role`` (teacher, student); None for fp32."""
    serve = gate.spec.serve
    precision = serve.teacher_precision if role == "teacher" else serve.precision
    return None if precision == FP32 else Reduction(gate=gate, inputs=inputs, precision=precision)
