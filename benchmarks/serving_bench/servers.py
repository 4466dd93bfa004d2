"""The servers that are compared: how each is installed, started and asked. All do the same work for a text."""

from __future__ import annotations

import hashlib
import http.client
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.claims import ROOT
from benchmarks.serving_bench.processes import free_port, pinned, wait_until

PEERS_FOLDER = ROOT / "benchmarks" / "peers"
ENVIRONMENTS = ROOT / "benchmarks" / ".venvs"
MAX_BATCH_ROWS = 16
OURS = "evalkit"


def _v2_body(text: str) -> dict[str, Any]:
    return {"inputs": [{"name": "text", "shape": [1, 1], "datatype": "BYTES", "data": [text]}]}


def _v2_probabilities(answer: dict[str, Any]) -> list[float]:
    return list(answer["outputs"][0]["data"])


@dataclass(frozen=True, slots=True)
class Peer:
    """Another server: the package pinned in peers/FILE.txt and started by peers/FILE_server.py with ``options``, and
    the protocol that it speaks."""

    name: str
    package: str
    file: str
    options: tuple[str, ...]
    path: str
    body: Callable[[str], dict[str, Any]]
    probabilities: Callable[[dict[str, Any]], list[float]]

    @property
    def requirements(self) -> Path:
        return PEERS_FOLDER / f"{self.file}.txt"

    @property
    def script(self) -> Path:
        return PEERS_FOLDER / f"{self.file}_server.py"

    def version(self) -> str:
        """As pinned."""
        pins = dict(line.split("==") for line in self.requirements.read_text().splitlines() if "==" in line)
        return pins[self.package]


_V2 = ("/v2/models/text/infer", _v2_body, _v2_probabilities)
# MLServer's tuning depends on what is asked of it: a wait of 1 ms gave 16 clients the most, and no batching at all gave
# one client the most and the shortest tail. So both are measured.
PEERS = {
    peer.name: peer
    for peer in (
        Peer("PyTriton", "nvidia-pytriton", "pytriton", (), *_V2),
        Peer(
            "LitServe",
            "litserve",
            "litserve",
            (),
            "/predict",
            lambda text: {"text": text},
            lambda answer: list(answer["probabilities"]),
        ),
        Peer("MLServer", "mlserver", "mlserver", ("0.001",), *_V2),
        Peer("MLServer without batching", "mlserver", "mlserver", ("0",), *_V2),
    )
}
_OUR_PATH = "/v1/classify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One that answers: where, with the whole HTTP requests that it is sent."""

    name: str
    port: int
    pid: int
    path: str
    bodies: tuple[str, ...]
    probabilities: Callable[[dict[str, Any]], list[float]]

    @property
    def requests(self) -> list[bytes]:
        """Whole HTTP/1.1 requests, one for each text."""
        return [http_request(self.path, body) for body in self.bodies]

    def ask(self, body: str) -> np.ndarray:
        """The probabilities for one body. Raises OSError or ValueError where the server does not answer so."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", self.path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(f"{self.name} answered {answer.status}: {content[:500]!r}")
        return np.array(self.probabilities(json.loads(content)))

    def answers(self) -> bool:
        """Whether the server classifies by now."""
        try:
            self.ask(self.bodies[0])
        except (OSError, ValueError, http.client.HTTPException):
            return False
        return True


def http_request(path: str, body: str) -> bytes:
    content = body.encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


def install(peer: Peer) -> Path:
    """The Python of the peer's own virtual environment, made once for each state of its pins."""
    digest = hashlib.sha256(peer.requirements.read_bytes()).hexdigest()[:8]
    folder = ENVIRONMENTS / f"{peer.file}-{digest}"
    python, done = folder / "bin" / "python", folder / ".installed"
    if not done.is_file():
        print(f"installing {peer.name} {peer.version()} into {folder}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        quiet = ["--quiet", "--disable-pip-version-check"]
        subprocess.run([str(python), "-m", "pip", "install", *quiet, "-r", str(peer.requirements)], check=True)
        done.touch()
    return python


@contextmanager
def peer_server(peer: Peer, model: Path, texts: Sequence[str], core: int, log: Path) -> Iterator[Server]:
    """The peer as its script starts it, on one core, answering."""
    port = free_port()
    command = [str(install(peer)), str(peer.script), str(model), str(port), str(free_port()), *peer.options]
    with pinned(core, command, log.parent, log) as process:
        bodies = tuple(json.dumps(peer.body(text)) for text in texts)
        server = Server(
            name=peer.name, port=port, pid=process.pid, path=peer.path, bodies=bodies, probabilities=peer.probabilities
        )
        wait_until(server.answers, process, log)
        yield server


@contextmanager
def our_server(
    model: Path, texts: Sequence[str], core: int, log: Path, options: Sequence[str] = ()
) -> Iterator[Server]:
    """``python -m serving`` on one core, answering."""
    port = free_port()
    command = [
        sys.executable, "-m", "serving", str(model), "--port", str(port), "--core", str(core), "--provider", "cpu",
        "--max-batch-rows", str(MAX_BATCH_ROWS), *options,
    ]  # fmt: skip
    with pinned(core, command, ROOT, log) as process:
        bodies = tuple(json.dumps({"texts": [text]}) for text in texts)
        server = Server(
            name=OURS, port=port, pid=process.pid, path=_OUR_PATH, bodies=bodies,
            probabilities=lambda answer: list(answer["predictions"][0]["probabilities"]),
        )  # fmt: skip
        wait_until(server.answers, process, log)
        yield server
