"""The server as a process against bad clients: slow ones, half-closed ones, too many and too large ones; and TLS."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest
import trustme

from serving.engine import Engine
from serving.provider import Provider
from tests.serving_process import (
    GOOD,
    START_S,
    Server,
    body_of,
    command,
    exchange,
    metrics_of,
    running,
)

pytestmark = pytest.mark.alone

HEAD = b"POST /v1/classify HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n"
KEY = "an-api-key-of-20-chars"


def until_closed(connection: socket.socket) -> bytes:
    received = b""
    while part := connection.recv(65_536):
        received += part
    return received


def problem_in(received: bytes) -> tuple[bytes, int]:
    """The status line of an answer on the wire, and the status that its problem details say."""
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"Content-Type: application/problem+json" in head or b"content-type: application/problem+json" in head
    assert b"onnection: close" in head
    return head.split(b"\r\n")[0], json.loads(body)["status"]


def test_clients_that_never_finish_a_request_are_closed_and_the_others_served(tiny_model_folder: Path) -> None:
    with running(tiny_model_folder, "--read-timeout-s", "1") as server:
        idle = server.connect()
        assert exchange(idle, "POST", "/v1/classify", GOOD).status == 200
        began = time.monotonic()
        silent, head, body, trickle = (server.raw() for _ in range(4))
        head.sendall(b"POST /v1/classify HTTP/1.1\r\nHost: te")
        body.sendall(HEAD % 1_000 + b'{"texts": ["go')

        def drip() -> None:
            trickle.sendall(b"GET /v2 HTTP/1.1\r\n")
            try:
                for letter in "X-Slow: " + "a" * 100:
                    trickle.sendall(letter.encode())
                    time.sleep(0.1)
            except OSError:
                pass

        dripping = threading.Thread(target=drip)
        dripping.start()
        others = [server.classify().status for _ in range(20)]
        assert until_closed(silent) == b""
        assert problem_in(until_closed(head)) == (b"HTTP/1.1 408 Request Timeout", 408)
        assert problem_in(until_closed(body)) == (b"HTTP/1.1 408 Request Timeout", 408)
        dripping.join()
        took_s = time.monotonic() - began
        found = metrics_of(server)
        assert exchange(idle, "POST", "/v1/classify", GOOD).status == 200  # between requests a client may take its time
        for connection in (silent, head, body, trickle):
            connection.close()
        idle.close()
        code, said = server.stop()

    assert others == [200] * 20
    assert 1 <= took_s < 5
    assert found['evalkit_requests_total{path="unread",status="408"}'] == 2
    assert found['evalkit_requests_total{path="/v1/classify",status="408"}'] == 1
    assert (code, said) == (0, "")


def test_what_is_no_http_or_has_too_large_a_head_is_refused_in_words(tiny_model_folder: Path) -> None:
    filler = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 100) for number in range(30))
    cases = [
        (b"GET / HTTP/9.9\r\n\r\n", b"HTTP/1.1 400 Bad Request", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00", b"HTTP/1.1 400 Bad Request", 400),
        (b"GET /v2 HTTP/1.1\r\nHost: x\r\n" + filler, b"HTTP/1.1 431 Request Header Fields Too Large", 431),
        (b"GET /v2 HTTP/1.1\r\nHost: x\r\n" + filler + b"\r\n", b"HTTP/1.1 431 Request Header Fields Too Large", 431),
        (b"GET /" + b"a" * 3_000 + b" HTTP/1.1\r\n\r\n", b"HTTP/1.1 431 Request Header Fields Too Large", 431),
    ]
    with running(tiny_model_folder, "--max-head-bytes", "2048") as server:
        for request, line, status in cases:
            with server.raw() as connection:
                connection.sendall(request)
                assert problem_in(until_closed(connection)) == (line, status)
        with server.raw() as connection:  # a large body in the same packets is no large head
            body = body_of("good " * 1_000)
            connection.sendall(HEAD % len(body) + body)
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200 OK")
        assert server.stop() == (0, "")


def test_a_client_that_closes_its_sending_side_counts_as_gone_and_costs_no_compute(tiny_model_folder: Path) -> None:
    program = (
        "import sys, time\n"
        "from serving.__main__ import main\n"
        "from serving.engine import Engine\n"
        "computed = Engine.probabilities\n"
        "def slow(self, encoded):\n"
        "    time.sleep(1)\n"
        "    return computed(self, encoded)\n"
        "Engine.probabilities = slow\n"
        "sys.exit(main())\n"
    )
    with running(tiny_model_folder, program=program) as server:
        first = threading.Thread(target=server.classify)
        first.start()
        time.sleep(0.3)
        for request in [HEAD % len(GOOD) + GOOD] * 5 + [HEAD % 100]:
            with server.raw() as connection:
                connection.sendall(request)
                connection.shutdown(socket.SHUT_WR)
                assert until_closed(connection) == b""
        assert server.classify().status == 200
        first.join()
        found = metrics_of(server)
        assert server.stop() == (0, "")

    assert found['evalkit_requests_total{path="/v1/classify",status="499"}'] == 6
    assert found['evalkit_requests_total{path="/v1/classify",status="200"}'] == 2
    assert found['evalkit_dropped_rows_total{reason="client gone"}'] == 5
    assert found["evalkit_batch_rows_sum"] == 2


def test_beyond_the_most_connections_requests_are_refused_but_not_probes(tiny_model_folder: Path) -> None:
    with running(tiny_model_folder, "--max-connections", "3") as server:
        pool = [server.connect() for _ in range(3)]
        assert [exchange(one, "POST", "/v1/classify", GOOD).status for one in pool] == [200] * 3
        refused = server.classify()
        assert (refused.status, refused.headers["retry-after"], refused.headers["connection"]) == (503, "1", "close")
        assert "too many connections" in refused.json["detail"]
        assert server.ask("GET", "/v2/health/live").status == 200
        assert metrics_of(server)['evalkit_refused_total{reason="too many connections"}'] == 1
        assert [exchange(one, "POST", "/v1/classify", GOOD).status for one in pool] == [200] * 3
        for one in pool:
            one.close()
        time.sleep(0.1)
        assert server.classify().status == 200


def test_ten_megabytes_of_text_are_refused_or_cut_and_hold_nobody_up(tiny_model_folder: Path) -> None:
    text = "good day " * 1_200_000
    with running(tiny_model_folder) as server:
        assert server.classify(body_of(text)).status == 413
        assert server.classify().status == 200
    with running(tiny_model_folder, "--max-body-bytes", "20000000") as server:
        waits_ms: list[float] = []
        answers = []
        large = threading.Thread(target=lambda: answers.append(server.classify(body_of(text))))
        connection = server.connect()
        exchange(connection, "POST", "/v1/classify", GOOD)
        large.start()
        while large.is_alive():
            began = time.perf_counter()
            assert exchange(connection, "POST", "/v1/classify", GOOD).status == 200
            waits_ms.append(1_000 * (time.perf_counter() - began))
        connection.close()

    assert [(answer.status, answer.json["truncated"]) for answer in answers] == [(200, 1)]
    assert len(waits_ms) > 3
    assert sorted(waits_ms)[len(waits_ms) // 2] < 500


def test_a_hundred_thousand_rows_are_refused_or_answered_in_their_order(tiny_model_folder: Path) -> None:
    words = ["good", "bad", "plain", "very good day", "not bad"]
    body = body_of(*(words[row % 5] for row in range(100_000)))
    with running(tiny_model_folder, "--max-body-bytes", "5000000") as server:
        refused = server.classify(body)
        assert (refused.status, "100000 texts, the limit is 64" in refused.json["detail"]) == (413, True)
    expected = Engine.load(tiny_model_folder, provider=Provider.CPU)
    labels = [expected.labels[row] for row in expected.classify(words).probabilities.argmax(axis=1)]
    limits = ("--max-request-rows", "100000", "--queue-limit-rows", "100000", "--max-batch-rows", "64")
    with running(tiny_model_folder, "--max-body-bytes", "5000000", *limits) as server:
        connection = http.client.HTTPConnection(*server.address, timeout=60)
        answer = exchange(connection, "POST", "/v1/classify", body)
        connection.close()
        assert answer.status == 200
        assert [row["label"] for row in answer.json["predictions"]] == labels * 20_000


def test_https_with_keys_and_an_access_log(tiny_model_folder: Path, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    log = tmp_path / "access.jsonl"
    flags = ["--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem")]
    with running(
        tiny_model_folder,
        *flags,
        "--access-log",
        str(log),
        environment={"EVALKIT_API_KEY": KEY},
        trusted=trusted,
    ) as server:
        assert server.ready["scheme"] == "https"
        assert server.classify(headers={"Authorization": f"Bearer {KEY}"}).status == 200
        assert server.classify().status == 401
        assert server.ask("GET", "/v2/health/ready").status == 200
        with server.raw() as plain:  # without encryption there is no answer
            plain.sendall(HEAD % len(GOOD) + GOOD)
            assert b"200 OK" not in until_closed(plain)
        with pytest.raises(ssl.SSLCertVerificationError):
            Server(server.process, server.ready, ssl.create_default_context()).classify()
        assert server.stop() == (0, "")

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("POST", "/v1/classify", 200),
        ("POST", "/v1/classify", 401),
        ("GET", "/v2/health/ready", 200),
    ]
    assert KEY not in log.read_text()


def test_spans_are_sent_where_the_environment_asks(tiny_model_folder: Path) -> None:
    with running(tiny_model_folder, environment={"OTEL_TRACES_EXPORTER": "console"}) as server:
        assert server.classify(headers={"X-Request-Id": "r1"}).status == 200
        code, said = server.stop()
        assert server.process.stdout is not None
        spans = server.process.stdout.read()

    assert (code, said) == (0, "")
    span = json.loads(spans)
    assert (span["name"], span["attributes"]["evalkit.request_id"]) == ("POST /v1/classify", "r1")
    assert span["resource"]["attributes"]["service.name"] == "evalkit-serving"


@pytest.mark.parametrize(
    ("flags", "environment", "said"),
    [
        (["--tls-cert", "{tmp}/none", "--tls-key", "{tmp}/none"], {}, "cannot be used"),
        (["--model-root", "{tmp}/none"], {}, "is no folder"),
        (["--access-log", "{tmp}/none/log"], {}, "cannot be opened"),
        (["--api-key-file", "{tmp}/none"], {}, "cannot be read"),
        ([], {"EVALKIT_API_KEY": ""}, "EVALKIT_API_KEY has no key"),
        (["--workers", "2", "--grpc-port", "0"], {}, "grpc_port takes one worker"),
    ],
)
def test_a_setting_that_cannot_be_used_is_one_line_and_exit_2(
    tiny_model_folder: Path, tmp_path: Path, flags: list[str], environment: dict[str, str], said: str
) -> None:
    given = [flag.format(tmp=tmp_path) for flag in flags]
    result = subprocess.run(
        command(tiny_model_folder, "--port", "0", *given),
        capture_output=True,
        text=True,
        timeout=START_S,
        env={**os.environ, **environment},
    )

    assert (result.returncode, result.stdout) == (2, "")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
