"""The client against servers that behave, and against every way in which one may not."""

from __future__ import annotations

import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import gevent
import pytest

from loadtest.errors import InputError
from loadtest.failures import ExchangeFailed, Failure
from loadtest.http.address import address_of, request_head
from loadtest.http.client import Client
from loadtest.targets.choice import target_of
from loadtest.targets.plan import TargetKind, TargetPlan
from loadtest.targets.target import Response
from tests.unit.loadtest.raw_server import OK, Serve, always, once, raw_server, read_request

REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"


@contextmanager
def client(url: str, timeout_s: float = 2.0, ca_file: str | None = None) -> Iterator[Client]:
    made = Client(address_of(url, ca_file), timeout_s)
    try:
        yield made
    finally:
        made.stop()


def ask(made: Client, number: int = 0, request: bytes = REQUEST) -> Response:
    return made.exchange(number, request, monotonic())[0]


def failure_of(serve: Serve, timeout_s: float = 2.0) -> Failure:
    with raw_server(serve) as url, client(url, timeout_s) as made, pytest.raises(ExchangeFailed) as failed:
        ask(made)
    return failed.value.failure


def test_one_connection_serves_one_request_after_the_other() -> None:
    connections = []

    def serve(sock: socket.socket, number: int) -> None:
        connections.append(number)
        always(OK)(sock, number)

    with raw_server(serve) as url, client(url) as made:
        for number in range(5):
            assert ask(made, number).content == b"hi"
    assert connections == [1]


def test_requests_at_the_same_time_have_a_connection_each() -> None:
    def serve(sock: socket.socket, number: int) -> None:
        read_request(sock)
        time.sleep(0.1)
        sock.sendall(OK[:-2] + f"{number:02}".encode())

    with raw_server(serve) as url, client(url) as made:
        asked = [gevent.spawn(ask, made, number) for number in range(3)]
        gevent.joinall(asked)
    assert sorted(each.value.content for each in asked) == [b"01", b"02", b"03"]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabcde",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nabcde",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcde",  # it ends with the connection
    ],
    ids=["chunked", "continue", "http 1.0", "until closed"],
)
def test_every_framing_of_an_answer_is_read(answer: bytes) -> None:
    with raw_server(once(answer)) as url, client(url) as made:
        for number in range(2):
            response = ask(made, number)
            assert (response.status, response.content) == (200, b"abcde")


def test_an_answer_in_many_pieces_has_the_time_of_each() -> None:
    def serve(sock: socket.socket, _number: int) -> None:
        read_request(sock)
        for piece in (b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 4\r\n\r\na", b"bc", b"d"):
            sock.sendall(piece)
            time.sleep(0.05)

    with raw_server(serve) as url, client(url) as made:
        response = ask(made)
    assert response.pieces == [b"a", b"bc", b"d"]
    assert response.times_s[2] - response.times_s[0] == pytest.approx(0.1, abs=0.04)


def test_a_request_larger_than_the_kernels_buffers_arrives_whole() -> None:
    seen = []

    def serve(sock: socket.socket, _number: int) -> None:
        time.sleep(0.1)
        seen.append(read_request(sock))
        sock.sendall(OK)

    body = bytes(range(256)) * 40_000
    request = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    with raw_server(serve) as url, client(url, 10.0) as made:
        assert ask(made, request=request).content == b"hi"
    assert seen == [request]


def test_nobody_listening_is_a_failure_to_connect() -> None:
    with raw_server(always(OK)) as url:
        pass
    with client(url) as made, pytest.raises(ExchangeFailed) as failed:
        ask(made)
    assert failed.value.failure is Failure.CONNECT


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (b"", Failure.CLOSED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", Failure.CLOSED),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\nabc", Failure.CLOSED),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", Failure.CLOSED),
        (b"HTTP/1.1 200 OK\r\nContent-", Failure.CLOSED),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Failure.NOT_HTTP),
        (b"\x00\xff" * 50, Failure.NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", Failure.NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", Failure.NOT_HTTP),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", Failure.NOT_HTTP),
    ],
)
def test_closed_and_garbled_answers_are_told_apart(answer: bytes, failure: Failure) -> None:
    assert failure_of(once(answer)) is failure


def test_a_reset_in_the_middle_is_closed() -> None:
    def serve(sock: socket.socket, _number: int) -> None:
        read_request(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

    assert failure_of(serve) is Failure.CLOSED


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"], ids=["nothing", "half"])
def test_a_server_that_hangs_is_given_up_on_time(said: bytes) -> None:
    def serve(sock: socket.socket, _number: int) -> None:
        read_request(sock)
        sock.sendall(said)
        time.sleep(1.5)

    began = monotonic()
    assert failure_of(serve, timeout_s=0.3) is Failure.TIMEOUT
    assert monotonic() - began == pytest.approx(0.3, abs=0.1)


def test_a_later_request_is_not_given_up_with_an_earlier_one() -> None:
    def serve(sock: socket.socket, number: int) -> None:
        read_request(sock)
        time.sleep(1.0 if number == 1 else 0.25)
        sock.sendall(OK)

    with raw_server(serve) as url, client(url, 0.4) as made:
        hung = gevent.spawn(ask, made, 0)
        gevent.sleep(0.25)
        assert ask(made, 1).content == b"hi"
        hung.join()
    assert isinstance(hung.exception, ExchangeFailed)


def test_a_body_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadtest.http.connection.MAX_BODY_BYTES", 2**20)

    def serve(sock: socket.socket, _number: int) -> None:
        read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sock.sendall(bytes(65536))

    assert failure_of(serve, 5.0) is Failure.TOO_LARGE


def test_a_connection_that_died_while_idle_costs_nothing() -> None:
    with raw_server(once(OK)) as url, client(url) as made:
        for number in range(3):
            _, _, retried = made.exchange(number, REQUEST, monotonic())
            assert not retried
            gevent.sleep(0.05)


def test_a_connection_closed_just_when_it_is_used_again_is_tried_once_more() -> None:
    def serve(sock: socket.socket, number: int) -> None:
        read_request(sock)
        sock.sendall(OK)
        if number == 1:
            read_request(sock)  # and is closed without a word

    with raw_server(serve) as url, client(url) as made:
        assert ask(made, 0).content == b"hi"
        response, _, retried = made.exchange(1, REQUEST, monotonic())
    assert (response.content, retried) == (b"hi", True)


def test_a_server_that_closes_on_every_request_is_not_tried_for_ever() -> None:
    asked = []

    def serve(sock: socket.socket, _number: int) -> None:
        asked.append(read_request(sock))

    assert failure_of(serve) is Failure.CLOSED
    assert len(asked) == 1


def test_an_idle_connection_on_which_the_server_talks_is_not_used_again() -> None:
    def serve(sock: socket.socket, number: int) -> None:
        read_request(sock)
        sock.sendall(OK + (OK.replace(b"hi", b"no") if number == 1 else b""))
        read_request(sock)

    with raw_server(serve) as url, client(url) as made:
        ask(made, 0)
        gevent.sleep(0.05)
        assert ask(made, 1).content == b"hi"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    extra = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run([*command.split(), *extra], check=True, capture_output=True)
    return cert, key


def encrypted(certificate: tuple[Path, Path], serve: Serve) -> Serve:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)

    def wrapped(sock: socket.socket, number: int) -> None:
        with context.wrap_socket(sock, server_side=True) as tls:
            serve(tls, number)

    return wrapped


def test_tls_is_spoken_with_a_trusted_server_and_bodies_of_any_size(certificate: tuple[Path, Path]) -> None:
    large = b"x" * 300_000
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(large), large)
    request = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (3_000_000, bytes(3_000_000))
    with raw_server(encrypted(certificate, always(answer))) as url:
        address = url.replace("http:", "https:")
        with client(address, 10.0, str(certificate[0])) as made:
            assert ask(made, 0, request).content == large
            assert ask(made, 1).content == large


def test_an_untrusted_certificate_or_no_tls_at_all_is_a_failure_to_connect(certificate: tuple[Path, Path]) -> None:
    def plain(sock: socket.socket, _number: int) -> None:
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 400 No\r\n\r\n")

    for serve in (encrypted(certificate, always(OK)), plain):
        with raw_server(serve) as url, client(url.replace("http:", "https:")) as made:
            with pytest.raises(ExchangeFailed) as failed:
                ask(made)
            assert failed.value.failure is Failure.CONNECT


def test_a_name_without_an_address_is_refused() -> None:
    with pytest.raises(InputError, match=r"host nowhere\.invalid has no address"):
        address_of("http://nowhere.invalid:80")


def test_the_head_of_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = TargetPlan(headers=(("x-tenant", "a"), ("Accept", "text/plain")), api_key_env="SERVER_KEY")
    with pytest.raises(InputError, match="SERVER_KEY holds no key"):
        request_head("http://127.0.0.1:80", target_of(plan), plan)
    monkeypatch.setenv("SERVER_KEY", "s3cret")
    head = request_head("http://127.0.0.1:8080/base/", target_of(plan), plan).decode()
    first, *lines = head.split("\r\n")
    assert first == "POST /base/v1/classify HTTP/1.1"
    assert {"Host: 127.0.0.1:8080", "x-tenant: a", "Authorization: Bearer s3cret", "Accept: text/plain"} < set(lines)
    assert "Accept: application/json" not in lines
    assert lines[-1] == "Content-Length: "


def test_a_templates_path_is_the_urls_own() -> None:
    plan = TargetPlan(kind=TargetKind.TEMPLATE, template="x")
    assert request_head("http://127.0.0.1/predict", target_of(plan), plan).startswith(b"POST /predict HTTP/1.1")
    assert request_head("http://127.0.0.1", target_of(plan), plan).startswith(b"POST / HTTP/1.1")
