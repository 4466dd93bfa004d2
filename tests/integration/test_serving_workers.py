"""Several workers on one port: dealt out evenly, stopped, killed and swapped under load, with nothing lost."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.engine import Engine
from serving.provider import Provider
from tests.model_folders import LABELS, write_tiny_model_folder
from tests.serving_process import (
    GOOD,
    START_S,
    Client,
    Server,
    command,
    exchange,
    metrics_of,
    running,
)

pytestmark = pytest.mark.alone

ADMIN = "an-admin-key-of-22-chars"
LOAD = "/v2/repository/models/tiny/load"
TWO = ("--workers", "2")


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def restarted(server: Server) -> bool:
    """Whether a worker was replaced. What was handed to it just before it died is lost with it."""
    try:
        return metrics_of(server)["evalkit_worker_restarts_total"] == 1
    except (OSError, http.client.HTTPException):
        return False


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_one_ready_line_when_all_are_ready_and_connections_are_dealt_out_evenly(tiny_model_folder: Path) -> None:
    with running(tiny_model_folder, *TWO) as server:
        pool = [server.connect() for _ in range(8)]
        pids = [exchange(one, "GET", "/v1/info").json["pid"] for one in pool]
        assert server.ready["workers"] == 2
        assert Counter(pids) == dict.fromkeys(server.ready["pids"], 4)
        for one, pid in zip(pool, pids, strict=True):  # all those of one worker leave: the next four are its own
            if pid == pids[0]:
                one.close()
        until(lambda: metrics_of(server)["evalkit_open_connections"] == 5)
        pool = [one for one, pid in zip(pool, pids, strict=True) if pid != pids[0]]
        more = [server.connect() for _ in range(4)]
        assert {exchange(one, "GET", "/v1/info").json["pid"] for one in more} == {pids[0]}
        for one in (*pool, *more):
            one.close()
        assert server.stop() == (0, "")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no pinning on this system")
def test_workers_are_pinned_to_the_cores_in_turn(tiny_model_folder: Path) -> None:
    cores = sorted(os.sched_getaffinity(0))[:2]
    with running(tiny_model_folder, *TWO, "--core", ",".join(map(str, cores))) as server:
        found = [os.sched_getaffinity(pid) for pid in server.ready["pids"]]
        assert found == [{cores[i % len(cores)]} for i in range(2)]
        assert server.ready["pinned_cores"] == [cores[i % len(cores)] for i in range(2)]


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_under_requests_loses_none(tiny_model_folder: Path, signal_number: signal.Signals) -> None:
    with running(tiny_model_folder, *TWO) as server:
        clients = [Client(server) for _ in range(6)]
        for client in clients:
            client.start()
        until(lambda: all(client.answered > 3 for client in clients))
        server.process.send_signal(signal_number)
        time.sleep(0.2)
        late = server.classify()
        for client in clients:
            client.join(timeout=20)
        code = server.process.wait(timeout=20)
        said = server.process.stderr.read() if server.process.stderr else ""

    assert [client.lost for client in clients] == [[]] * 6
    assert all(client.refused and client.refused["retry-after"] == "1" for client in clients)
    assert (late.status, late.headers["connection"]) == (503, "close")
    assert (code, said) == (0, "")
    assert not any(is_there(pid) for pid in server.ready["pids"])


def test_a_killed_worker_is_replaced_the_other_goes_on_and_no_count_goes_back(tiny_model_folder: Path) -> None:
    with running(tiny_model_folder, *TWO) as server:
        for _ in range(20):
            assert server.classify().status == 200
        victim, other = server.ready["pids"]
        held = [server.connect() for _ in range(2)]
        kept = next(one for one in held if exchange(one, "GET", "/v1/info").json["pid"] == other)
        os.kill(victim, signal.SIGKILL)
        assert [exchange(kept, "POST", "/v1/classify", GOOD).status for _ in range(20)] == [200] * 20
        until(lambda: restarted(server))
        assert [server.classify().status for _ in range(20)] == [200] * 20
        held += [server.connect() for _ in range(2)]  # the one in its place has none yet, so it gets them
        assert victim not in {exchange(one, "GET", "/v1/info").json["pid"] for one in held[2:]} != {other}
        found = metrics_of(server)
        assert found['evalkit_requests_total{path="/v1/classify",status="200"}'] == 60
        assert found["evalkit_batch_rows_sum"] == 60
        assert found["evalkit_workers"] == 2
        for one in held:
            one.close()
        code, said = server.stop()

    assert code == 0
    assert said == f"worker 0 (process {victim}) was killed by signal 9; another takes its place\n"


def test_a_worker_that_is_asked_to_stop_drains_and_is_replaced_with_nothing_lost(tiny_model_folder: Path) -> None:
    with running(tiny_model_folder, *TWO) as server:
        enough: list[bool] = []
        clients = [Client(server, lambda: bool(enough)) for _ in range(4)]
        for client in clients:
            client.start()
        until(lambda: all(client.answered > 3 for client in clients))
        os.kill(server.ready["pids"][0], signal.SIGTERM)
        until(lambda: restarted(server))
        assert [server.classify().status for _ in range(10)] == [200] * 10
        enough.append(True)
        for client in clients:
            client.join(timeout=20)

    assert [client.lost for client in clients] == [[]] * 4
    assert sum(client.refused is not None for client in clients) == 2  # those of that worker, told to connect anew


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_swap_under_requests_fails_none_and_reaches_all_workers(tmp_path: Path, workers: str) -> None:
    folders = [write_tiny_model_folder(tmp_path / name, seed=seed) for seed, name in enumerate(("one", "two"))]
    versions = [Engine.load(folder, provider=Provider.CPU).version for folder in folders]
    admin = {"Authorization": f"Bearer {ADMIN}"}
    (tmp_path / "admins").write_text(ADMIN)
    flags = ("--workers", workers, "--model-root", str(tmp_path), "--admin-key-file", str(tmp_path / "admins"))
    with running(folders[0], *flags) as server:
        enough: list[bool] = []
        clients = [Client(server, lambda: bool(enough)) for _ in range(6)]
        for client in clients:
            client.start()
        until(lambda: all(client.answered > 5 for client in clients))
        body = b'{"parameters": {"folder": "two"}}'
        assert server.ask("POST", LOAD, body).status == 401
        swapped = server.ask("POST", LOAD, body, admin)
        counts = [client.answered for client in clients]
        until(lambda: all(client.answered > count + 5 for client, count in zip(clients, counts, strict=True)))
        enough.append(True)
        for client in clients:
            client.join(timeout=20)
        index = [server.ask("POST", "/v2/repository/index").json[0]["version"] for _ in range(4)]
        if workers == "2":  # who takes a dead one's place serves the same
            os.kill(server.ready["pids"][0], signal.SIGKILL)
            until(lambda: restarted(server))
            index += [server.ask("POST", "/v2/repository/index").json[0]["version"] for _ in range(4)]

    assert (swapped.status, swapped.json["version"], swapped.json["former_version"]) == (200, versions[1], versions[0])
    assert [(client.lost, client.refused) for client in clients] == [([], None)] * 6
    for client in clients:
        assert client.versions == sorted(client.versions, key=versions.index)
        assert set(client.versions) == set(versions)
    assert set(index) == {versions[1]}


def test_a_bad_folder_is_refused_once_for_all_workers_and_they_go_on(tmp_path: Path) -> None:
    folder = write_tiny_model_folder(tmp_path / "one")
    write_tiny_model_folder(tmp_path / "two", labels=LABELS[::-1])
    (write_tiny_model_folder(tmp_path / "bad") / "model.onnx").write_bytes(b"")
    admin = {"X-Api-Key": ADMIN}
    with running(folder, *TWO, "--model-root", str(tmp_path), environment={"EVALKIT_ADMIN_KEY": ADMIN}) as server:
        bad = server.ask("POST", LOAD, b'{"parameters": {"folder": "bad"}}', admin)
        other = server.ask("POST", LOAD, b'{"parameters": {"folder": "two"}}', admin)
        assert (bad.status, "has sha256" in bad.json["detail"]) == (422, True)
        assert (other.status, "other labels" in other.json["detail"]) == (409, True)
        assert {server.classify().json["version"] for _ in range(4)} == {server.ready["version"]}
        assert server.ask("POST", LOAD, b"", admin).status == 200
        assert server.stop() == (0, "")


TROUBLE = """
import os, sys
if "serving.worker" in sys.orig_argv:
    from serving.errors import LoadConflict
    from serving.swapping import Swap
    def failing_once(step, name):
        async def tried(self, *arguments):
            result = await step(self, *arguments)
            try:
                os.close(os.open(os.path.join(os.environ["TROUBLE"], name), os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return result
            raise LoadConflict(name + " failed here")
        return tried
    Swap.prepare = failing_once(Swap.prepare, "prepare")
    Swap.commit = failing_once(Swap.commit, "commit")
"""


def test_if_one_worker_cannot_load_none_switches_and_one_that_cannot_switch_is_replaced(tmp_path: Path) -> None:
    folder = write_tiny_model_folder(tmp_path / "one")
    other = Engine.load(write_tiny_model_folder(tmp_path / "two", seed=1), provider=Provider.CPU).version
    (tmp_path / "sitecustomize.py").write_text(TROUBLE)
    environment = {
        "EVALKIT_ADMIN_KEY": ADMIN,
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path.cwd()}",
        "TROUBLE": str(tmp_path),
    }
    body, admin = b'{"parameters": {"folder": "two"}}', {"X-Api-Key": ADMIN}
    with running(folder, *TWO, "--model-root", str(tmp_path), environment=environment) as server:
        refused = server.ask("POST", LOAD, body, admin)
        assert refused.status == 409
        assert "of 2 could not load it (prepare failed here); none has switched" in refused.json["detail"]
        assert {server.classify().json["version"] for _ in range(6)} == {server.ready["version"]}
        loaded = server.ask("POST", LOAD, body, admin)
        assert (loaded.status, loaded.json["version"]) == (200, other)
        until(lambda: restarted(server))
        assert {server.classify().json["version"] for _ in range(6)} == {other}
        code, said = server.stop()

    assert code == 0
    assert "did not switch to the new model: commit failed here" in said


def test_a_worker_that_cannot_be_replaced_is_given_up_and_the_other_serves(tiny_model_folder: Path) -> None:
    with running(tiny_model_folder, *TWO) as server:
        shutil.move(tiny_model_folder / "manifest.json", tiny_model_folder / "manifest.away")
        os.kill(server.ready["pids"][1], signal.SIGKILL)
        assert server.process.stderr is not None
        lines = [server.process.stderr.readline()]
        while "given up" not in lines[-1]:
            lines.append(server.process.stderr.readline())
            assert lines[-1]
        assert [server.classify().status for _ in range(10)] == [200] * 10
        assert metrics_of(server)["evalkit_workers"] == 1
        code, _ = server.stop()

    assert sum("could not be started" in line and "cannot be read" in line for line in lines) == 4
    assert code == 0


def test_a_worker_does_not_start_with_another_model_than_the_others(tiny_model_folder: Path) -> None:
    with running(tiny_model_folder, *TWO) as server:
        write_tiny_model_folder(tiny_model_folder, seed=5)
        os.kill(server.ready["pids"][0], signal.SIGKILL)
        assert server.process.stderr is not None
        server.process.stderr.readline()
        assert "and the other workers answer with" in server.process.stderr.readline()
        assert {server.classify().json["version"] for _ in range(4)} == {server.ready["version"]}


def test_a_bad_model_folder_or_a_port_in_use_is_one_line_and_exit_2(tiny_model_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        in_use = subprocess.run(
            command(tiny_model_folder, *TWO, "--port", port), capture_output=True, text=True, timeout=START_S
        )
    (tiny_model_folder / "model.onnx").write_bytes(b"")
    bad = subprocess.run(
        command(tiny_model_folder, *TWO, "--port", "0"), capture_output=True, text=True, timeout=START_S
    )

    assert (in_use.returncode, in_use.stdout) == (2, "")
    assert in_use.stderr == f"port {port} on 127.0.0.1 is in use; stop what listens there or give --port\n"
    assert (bad.returncode, bad.stdout, bad.stderr.count("\n")) == (2, "", 1)
    assert "model.onnx has sha256" in bad.stderr


STUCK = """
import os, sys, time
if "serving.worker" in sys.orig_argv:
    from serving.engine import Engine
    def stuck(self, encoded):
        open(os.path.join(os.environ["TROUBLE"], "computing"), "w").close()
        time.sleep(60)
    Engine.probabilities = stuck
"""


@pytest.mark.parametrize(("drain_s", "signals"), [("1", 1), ("30", 2)])
def test_a_batch_that_never_ends_is_given_up_after_the_drain_time_or_a_second_signal(
    tiny_model_folder: Path, tmp_path: Path, drain_s: str, signals: int
) -> None:
    (tmp_path / "sitecustomize.py").write_text(STUCK)
    environment = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{Path.cwd()}", "TROUBLE": str(tmp_path)}
    with running(tiny_model_folder, *TWO, "--drain-s", drain_s, environment=environment) as server:
        connection = server.connect()
        connection.request("POST", "/v1/classify", GOOD)
        until((tmp_path / "computing").exists)
        for _ in range(signals):
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
        assert server.process.wait(timeout=10) == 1
        assert server.process.stderr is not None
        assert server.process.stderr.read().startswith("stopped before every accepted request was answered")
        until(lambda: not any(is_there(pid) for pid in server.ready["pids"]))
        connection.close()


def test_workers_do_not_outlive_a_killed_supervisor(tiny_model_folder: Path) -> None:
    with running(tiny_model_folder, *TWO) as server:
        server.process.kill()
        until(lambda: not any(is_there(pid) for pid in server.ready["pids"]))


def test_metrics_of_all_workers_add_up_to_the_requests(tiny_model_folder: Path) -> None:
    with running(tiny_model_folder, *TWO) as server:
        enough = [0]
        clients = [Client(server, lambda: enough[0] > 0, rows=3) for _ in range(6)]
        for client in clients:
            client.start()
        until(lambda: all(client.answered > 20 for client in clients))
        enough[0] = 1
        for client in clients:
            client.join(timeout=20)
        found = metrics_of(server)
        answered = sum(client.answered for client in clients)

    assert [client.lost for client in clients] == [[]] * 6
    assert found['evalkit_requests_total{path="/v1/classify",status="200"}'] == answered
    assert found["evalkit_request_seconds_count"] == answered
    assert found["evalkit_tokenise_seconds_count"] == answered
    assert found["evalkit_batch_rows_sum"] == 3 * answered
    assert found["evalkit_batch_rows_count"] == found["evalkit_compute_seconds_count"] <= answered


def test_the_supervisor_stays_light() -> None:
    code = (
        "import sys, serving.supervisor\n"
        "print([m for m in ('onnxruntime', 'fastapi', 'uvicorn', 'numpy', 'tokenizers') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert json.loads(result.stdout.replace("'", '"')) == []
