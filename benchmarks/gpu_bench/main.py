"""The command line of benchmarks/gpu.py: what is measured on which device, and what is claimed of it."""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.claims import at_least, at_most, claim, print_table, void, write_history
from benchmarks.gpu_bench.speed import Speed, in_turns, parity
from benchmarks.gpu_bench.ways import (
    CPU,
    CUDA,
    Feeds,
    Way,
    io_binding,
    open_session,
    session_run,
    torch_compiled,
    torch_eager,
)
from benchmarks.peers.classifier import Classifier
from benchmarks.serving_bench.model import (
    LABELS,
    corpus,
    make_texts,
    random_bert,
    train_tokenizer,
    write_fp16_folder,
    write_model_folder,
)
from serving.engine import Engine
from serving.manifest import MODEL_FILE
from serving.provider import Provider
from serving.session import nvidia_driver_present

BATCHES = (1, 8, 32, 128)
MOST_LOGIT_DIFFERENCE, MOST_FLIPS_PERCENT = 0.05, 0.5
NO_TORCH = "this torch has no CUDA; install a build of it that has"
NO_GPU = "no NVIDIA GPU on this machine: nothing was measured, and GPU figures stay unmeasured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The model, and how long each way runs at each batch."""

    layers: int = 6
    width: int = 384
    batches: tuple[int, ...] = BATCHES
    parity_texts: int = 1024
    rounds: int = 3
    seconds: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The model folders, the same weights in torch, and texts with the classifier that makes tokens of them."""

    fp32: Path
    fp16: Path
    bert: Any
    texts: tuple[str, ...]
    classifier: Classifier


def build(folder: Path, shape: Shape) -> Models:
    words = corpus()
    tokenizer = train_tokenizer(words)
    written = write_model_folder(folder / "fp32", tokenizer, layers=shape.layers, width=shape.width)
    return Models(
        fp32=written,
        fp16=write_fp16_folder(written, folder / "fp16"),
        bert=random_bert(tokenizer.get_vocab_size(), layers=shape.layers, width=shape.width),
        texts=tuple(make_texts(tokenizer, words, max(shape.parity_texts, *shape.batches), seed=0)),
        classifier=Classifier(written),
    )


def parity_claims(models: Models, shape: Shape, device: str) -> list[dict[str, Any]]:
    """fp16 on the device, and fp32 there, against fp32 on the CPU."""
    texts = models.texts[: shape.parity_texts]
    expected = _logits(models, models.fp32, texts, CPU)
    claims = []
    for name, folder in (("fp32", models.fp32), ("fp16", models.fp16)):
        found = parity(expected, _logits(models, folder, texts, device))
        flips = 100.0 * found.label_flips / found.texts
        peer = "fp32 on the CPU"
        claims += [
            claim(f"{name} on {device}: largest difference of a logit, {found.texts} texts",
                  found.largest_logit_difference, "", at_most(MOST_LOGIT_DIFFERENCE), peer),
            claim(f"{name} on {device}: labels that flip", flips, "%", at_most(MOST_FLIPS_PERCENT), peer),
        ]  # fmt: skip
    return claims


def _logits(models: Models, folder: Path, texts: Sequence[str], device: str) -> np.ndarray:
    run = session_run(open_session(folder / MODEL_FILE, device))
    return np.concatenate([run(models.classifier.feeds(texts[at : at + 32])) for at in range(0, len(texts), 32)])


def speed_claims(models: Models, shape: Shape, device: str, torch_device: str | None) -> list[dict[str, Any]]:
    """Every way at every batch; torch only where it has a device."""
    folders = {"fp32": models.fp32, "fp16": models.fp16}
    engines = {name: Engine.load(folder, provider=Provider(device)) for name, folder in folders.items()}
    sessions = {name: open_session(folder / MODEL_FILE, device) for name, folder in folders.items()}
    others = {} if torch_device is None else _torch_ways(models, torch_device)
    claims = [] if torch_device else [void("torch eager and torch.compile", NO_TORCH)]
    for rows in shape.batches:
        feeds = models.classifier.feeds(models.texts[:rows])
        padded = next(iter(feeds.values())).shape
        ways: dict[str, Way] = {}
        for precision in folders:
            ways[f"session.run, {precision}"] = session_run(sessions[precision])
            ways[f"IO binding, {precision}"] = io_binding(sessions[precision], device, padded, len(LABELS))
            ways[f"engine, {precision}"] = _engine(engines[precision], models.texts[:rows])
        claims += _claims_of(rows, in_turns({**ways, **others}, feeds, shape.rounds, shape.seconds))
    return claims


def _engine(engine: Engine, texts: Sequence[str]) -> Way:
    """The project's own path from tokens to logits; it pads, and binds buffers on CUDA, by itself."""
    encoded = engine.encode(texts)

    def run(feeds: Feeds) -> np.ndarray:
        del feeds
        return engine.logits(encoded)

    return run


def _torch_ways(models: Models, device: str) -> dict[str, Way]:
    import copy

    import torch

    ways: dict[str, Way] = {}
    for precision, kind in (("fp32", torch.float32), ("fp16", torch.float16)):
        on_device = copy.deepcopy(models.bert).to(device, kind)
        ways[f"torch eager, {precision}"] = torch_eager(on_device, device)
        ways[f"torch.compile, {precision}"] = torch_compiled(on_device, device)
    return ways


def _claims_of(rows: int, speeds: Mapping[str, Sequence[Speed]]) -> list[dict[str, Any]]:
    claims = []
    for name, each in speeds.items():
        claims += [
            claim(f"batch {rows}, {name}", [speed.rows_per_s for speed in each], "rows/s"),
            claim(f"batch {rows}, {name}, p99", [speed.p99_ms for speed in each], "ms"),
        ]
    engine = speeds["engine, fp16"]
    for name in speeds:
        if not name.startswith("engine"):
            ratios = [ours.rows_per_s / other.rows_per_s for ours, other in zip(engine, speeds[name], strict=True)]
            claims.append(claim(f"batch {rows}, throughput of the engine in fp16 ÷ {name}", ratios, "×", None, name))
    return claims


def torch_cuda() -> str | None:
    """torch's name of the GPU, or None where this torch has no CUDA."""
    import torch

    return CUDA if torch.cuda.is_available() else None


def gpu_name() -> str:
    """Name, driver and memory of the GPU as nvidia-smi says."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown: nvidia-smi does not answer"


def main(description: str) -> None:
    """The command line; see benchmarks/gpu.py."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry", action="store_true", help="write no history")
    given = parser.parse_args()
    if not nvidia_driver_present():
        print(NO_GPU)
        return
    shape = Shape()
    with tempfile.TemporaryDirectory() as folder:
        models = build(Path(folder), shape)
        real = Engine.load(models.fp32, provider=Provider.CUDA).provider is Provider.CUDA
        claims = [
            claim("the session's own providers hold CUDA (1: yes)", float(real), "", at_least(1)),
            *parity_claims(models, shape, CUDA),
            *speed_claims(models, shape, CUDA, torch_cuda()),
        ]
    print_table(claims)
    if not given.dry:
        print(write_history("gpu", claims, {}, gpu=gpu_name()))
