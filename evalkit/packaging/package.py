"""One model folder in the precision it will be served in, shown to answer as the original does."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evalkit.data.evenly import evenly
from evalkit.errors import DataError
from evalkit.packaging.parity import Parity, compare, refuse_flips, served_logits
from evalkit.packaging.precision import Precision, write_variant
from serving.engine import Engine
from serving.provider import Provider

Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduced:
    """A precision below fp32: its ``calibration`` texts (int8_static alone has some), and what it may flip.

    ``provider`` and ``threads`` are those of the engine that is compared: what serves, checks.
    """

    precision: Precision
    calibration: tuple[str, ...]
    most_label_flips: float
    provider: str
    threads: int


def reduce(folder: Path, reduced: Reduced, texts: Sequence[str], original: Callable[[], Logits], source: str) -> Parity:
    """Puts the variant in the place of the fp32 model folder ``folder``, once it is seen not to flip too many labels.

    ``original`` gives the logits [texts, labels] of ``source`` (torch or fp32). Raises StageError beyond
    ``most_label_flips``; the fp32 folder then stays.
    """
    variant = folder.with_name(f"{folder.name}.{reduced.precision}")
    write_variant(folder, variant, reduced.precision, reduced.calibration)
    engine = Engine.load(variant, provider=Provider(reduced.provider), threads=reduced.threads)
    found = compare(original(), served_logits(engine, texts), reduced.precision, source)
    parity = refuse_flips(found, reduced.most_label_flips)
    shutil.rmtree(folder)
    variant.rename(folder)
    return parity


def calibration_texts(train: Sequence[str], held_out: Sequence[str], rows: int) -> tuple[str, ...]:
    """At most ``rows`` training texts, evenly from the table, none of them also held out.

    Raises DataError where none is left.

    >>> calibration_texts(["a", "b", "c", "d"], ["b"], 2)
    ('a', 'd')
    """
    unseen = set(held_out)
    usable = [text for text in dict.fromkeys(train) if text not in unseen]
    if not usable:
        raise DataError("data.train has no text that is not also held out; int8_static needs some, give more")
    return tuple(evenly(usable, rows))
