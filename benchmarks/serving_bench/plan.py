"""How long a run of the benchmark measures, and on what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.peers.classifier import Classifier
from benchmarks.serving_bench.servers import OURS, PEERS, Server, our_server, peer_server

TEXTS = 64
_WARM_S = 1.0
WARM_CLIENTS = 8  # so few that the shortest queue holds them
_MOST_DIFFERENCE = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Seconds of each measurement, how often all is repeated, and the objective of latency."""

    rounds: int = 3
    raw_s: float = 2.0
    one_client_s: float = 3.0
    clients_s: float = 5.0
    open_s: float = 10.0
    probe_s: float = 5.0
    overload_s: float = 10.0
    limit_ms: float = 25.0
    peers: tuple[str, ...] = tuple(PEERS)


def quick(plan: Plan) -> Plan:
    """The same in one short round; its figures mean nothing."""
    return replace(
        plan, rounds=1, raw_s=0.3, one_client_s=1, clients_s=1, open_s=1, probe_s=0.3, overload_s=0.5
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The model folders, the texts, the core of the servers and the generator's; ``folder`` holds their logs too."""

    folder: Path
    fp32: Path
    int8: Path
    texts: tuple[str, ...]
    core: int
    own_core: int

    @contextmanager
    def peer(self, name: str) -> Iterator[Server]:
        """The peer, warm, once its answers have been found right."""
        with peer_server(PEERS[name], self.fp32, self.texts, self.core, self.folder / f"{name}.log") as server:
            check_answers(server, self.fp32, self.texts)
            _warm(server)
            yield server

    @contextmanager
    def ours(self, model: Path, options: Sequence[str] = ()) -> Iterator[Server]:
        """Our server, warm, once its answers have been found right."""
        with our_server(model, self.texts, self.core, self.folder / f"{OURS}.log", options) as server:
            check_answers(server, model, self.texts)
            _warm(server)
            yield server


def build(folder: Path, core: int, own_core: int) -> Bench:
    """Trains the tokenizer, writes the fp32 and the int8 folder."""
    from benchmarks.serving_bench.model import (
        corpus,
        make_texts,
        train_tokenizer,
        write_int8_folder,
        write_model_folder,
    )

    words = corpus()
    tokenizer = train_tokenizer(words)
    texts = tuple(make_texts(tokenizer, words, TEXTS, seed=0))
    fp32 = write_model_folder(folder / "fp32", tokenizer, layers=2, width=128)
    return Bench(
        folder=folder, fp32=fp32, int8=write_int8_folder(fp32, folder / "int8"), texts=texts, core=core,
        own_core=own_core,
    )  # fmt: skip


def check_answers(server: Server, model: Path, texts: Sequence[str]) -> None:
    """Raises SystemExit where the server's probabilities are not those of the model."""
    classifier = Classifier(model)
    for text, body in zip(texts, server.bodies, strict=True):
        difference = float(np.abs(server.ask(body) - classifier.probabilities([text])[0]).max())
        if not difference <= _MOST_DIFFERENCE:
            raise SystemExit(f"{server.name} answers {text!r} with probabilities that are {difference:.2g} off")


def _warm(server: Server) -> None:
    from benchmarks.serving_bench.closed_loop import closed_loop

    closed_loop(server, WARM_CLIENTS, _WARM_S)
