"""Every precision of one model side by side: size, what it changes, how fast it is."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from evalkit.errors import DataError
from evalkit.packaging.parity import Parity, compare, served_logits
from evalkit.packaging.precision import Precision, write_variant
from serving.engine import Engine
from serving.provider import Provider
from serving.tokens import EncodedText

BATCH = 16
FEWEST_TEXTS = 2 * BATCH


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """``ms`` of one text alone, and ``texts_per_s`` in batches of 16, by the engine, tokens given."""

    ms: float
    texts_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One precision. The ratios are medians over rounds of this variant ÷ fp32 in the same round."""

    precision: Precision
    folder: Path
    megabytes: float
    parity: Parity
    speed: Speed
    ms_ratio: float
    texts_per_s_ratio: float


def variants(
    fp32: Path, folder: Path, texts: Sequence[str], calibration: Sequence[str], *, threads: int, rounds: int
) -> tuple[Variant, ...]:
    """Makes every precision of the fp32 model folder in ``folder``, and compares them on ``texts``, on the CPU.

    In each round every variant runs once, so that a machine that slows down slows all.

    Raises DataError where there are fewer than 32 different texts.
    """
    texts = list(dict.fromkeys(texts))
    if len(texts) < FEWEST_TEXTS:
        raise DataError(f"there are {len(texts)} different texts; give at least {FEWEST_TEXTS} to compare variants on")
    engines: dict[Precision, Engine] = {}
    for precision in Precision:
        write_variant(fp32, folder / precision, precision, calibration)
        engines[precision] = Engine.load(folder / precision, provider=Provider.CPU, threads=threads)
    expected = served_logits(engines[Precision.FP32], texts)
    timed = in_turns(engines, texts, rounds)
    return tuple(
        Variant(
            precision=precision,
            folder=folder / precision,
            megabytes=(folder / precision / "model.onnx").stat().st_size / 1e6,
            parity=compare(expected, served_logits(engine, texts), precision, "fp32"),
            speed=Speed(
                ms=median(each.ms for each in timed[precision]),
                texts_per_s=median(each.texts_per_s for each in timed[precision]),
            ),
            ms_ratio=median(
                one.ms / other.ms for one, other in zip(timed[precision], timed[Precision.FP32], strict=True)
            ),
            texts_per_s_ratio=median(
                one.texts_per_s / other.texts_per_s
                for one, other in zip(timed[precision], timed[Precision.FP32], strict=True)
            ),
        )
        for precision, engine in engines.items()
    )


def in_turns(engines: Mapping[Precision, Engine], texts: Sequence[str], rounds: int) -> dict[Precision, list[Speed]]:
    """Every engine once a round, after one round that is not counted."""
    found: dict[Precision, list[Speed]] = {precision: [] for precision in engines}
    encoded = next(iter(engines.values())).encode(texts[: 4 * BATCH])
    for engine in engines.values():
        _speed(engine, encoded)
    for _ in range(rounds):
        for precision, engine in engines.items():
            found[precision].append(_speed(engine, encoded))
    return found


def _speed(engine: Engine, encoded: Sequence[EncodedText]) -> Speed:
    alone = []
    for row in encoded[:BATCH]:
        started = time.perf_counter()
        engine.logits([row])
        alone.append(time.perf_counter() - started)
    started = time.perf_counter()
    for start in range(0, len(encoded), BATCH):
        engine.logits(encoded[start : start + BATCH])
    return Speed(ms=1e3 * median(alone), texts_per_s=len(encoded) / (time.perf_counter() - started))
