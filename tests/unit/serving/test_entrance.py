"""What every request passes, in process: keys, deadlines, figures, the access log and spans."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client.parser import text_string_to_metric_families

from serving.access_log import AccessLog
from serving.app import create_app
from serving.engine import Engine
from serving.keys import Keys
from serving.pace import Pace
from serving.provider import Provider
from serving.settings import ServerSettings, SettingsError
from serving.surroundings import Surroundings
from serving.tracing import Tracing, tracing_from

SETTINGS = ServerSettings(max_batch_rows=4, queue_limit_rows=6, max_request_rows=6)
KEY, ADMIN = "an-api-key-of-20-chars", "an-admin-key-of-22-chars"
KEYS = Keys((KEY.encode(),), (ADMIN.encode(),))
Test = Callable[[httpx.AsyncClient, FastAPI], Awaitable[None]]


class GatedEngine(Engine):
    """The real engine, except that a batch waits until the test opens the gate."""

    gate: threading.Event | None = None

    def probabilities(self, encoded: Any) -> np.ndarray:
        if self.gate is not None:
            assert self.gate.wait(timeout=10)
        return super().probabilities(encoded)


@pytest.fixture
def engine(tiny_model_folder: Path) -> GatedEngine:
    engine = GatedEngine.load(tiny_model_folder, provider=Provider.CPU)
    assert isinstance(engine, GatedEngine)
    return engine


def with_client(engine: Engine, test: Test, around: Surroundings, settings: ServerSettings = SETTINGS) -> None:
    async def body() -> None:
        app = create_app(engine, settings, around)
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://test") as client,
            app.router.lifespan_context(app),
        ):
            await asyncio.wait_for(test(client, app), timeout=20)

    asyncio.run(body())


async def classify(client: httpx.AsyncClient, rows: int = 1, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post("/v1/classify", json={"texts": ["good"] * rows}, headers=named)


def test_with_keys_everything_but_health_and_metrics_wants_one(engine: GatedEngine) -> None:
    async def test(client: httpx.AsyncClient, _: FastAPI) -> None:
        for path in ("/v2/health/live", "/v2/health/ready", "/metrics"):
            assert (await client.get(path)).status_code == 200
        closed = ["/v1/info", "/v2", "/v2/models/tiny", "/v2/models/tiny/ready", "/openapi.json", "/nowhere"]
        closed += ["/v2/repository/index", "/v2/health/live/", "//v2/health/live", "/metrics/x"]
        for path in closed:
            refused = await client.get(path)
            assert refused.status_code == 401, path
            assert refused.headers["www-authenticate"] == "Bearer"
            assert refused.headers["content-type"] == "application/problem+json"
            assert refused.json()["detail"].startswith("this server wants a key")
            assert len(refused.headers["x-request-id"]) == 32
        for call in ("/v1/classify", "/v2/models/tiny/infer", "/v2/repository/models/tiny/load"):
            assert (await client.post(call, content=b"{}")).status_code == 401
        assert (await classify(client, authorization=f"Bearer {KEY}")).status_code == 200
        assert (await classify(client, x_api_key=ADMIN)).status_code == 200
        assert (await classify(client, x_api_key="wrong")).status_code == 401

    with_client(engine, test, Surroundings(keys=KEYS))


def test_a_request_whose_deadline_passes_before_it_is_computed_gets_504(engine: GatedEngine) -> None:
    around = Surroundings()

    async def test(client: httpx.AsyncClient, app: FastAPI) -> None:
        engine.gate = threading.Event()
        first = asyncio.ensure_future(classify(client))
        while not app.state.classifier.batcher.busy:
            await asyncio.sleep(0.001)
        late = asyncio.ensure_future(classify(client, x_request_timeout_ms="20"))
        patient = asyncio.ensure_future(classify(client, x_request_timeout_ms="10000"))
        await asyncio.sleep(0.05)
        engine.gate.set()
        assert [answer.status_code for answer in await asyncio.gather(first, late, patient)] == [200, 504, 200]
        assert (await late).json()["detail"].startswith("the deadline passed")

    with_client(engine, test, around)


def test_the_server_may_set_a_deadline_of_its_own_and_a_client_another(engine: GatedEngine) -> None:
    async def test(client: httpx.AsyncClient, app: FastAPI) -> None:
        engine.gate = threading.Event()
        first = asyncio.ensure_future(classify(client, x_request_timeout_ms="10000"))
        while not app.state.classifier.batcher.busy:
            await asyncio.sleep(0.001)
        rest = [asyncio.ensure_future(classify(client)) for _ in range(2)]
        rest.append(asyncio.ensure_future(classify(client, x_request_timeout_ms="10000")))
        await asyncio.sleep(0.05)
        engine.gate.set()
        statuses = [answer.status_code for answer in await asyncio.gather(first, *rest)]
        assert statuses == [200, 504, 504, 200]

    with_client(engine, test, Surroundings(), replace(SETTINGS, max_wait_ms=20))


@pytest.mark.parametrize("given", ["0", "-1", "soon", "", "nan", "inf", "1e400", "1" * 70])
def test_a_deadline_that_is_no_positive_number_of_milliseconds_is_a_bad_request(
    engine: GatedEngine, given: str
) -> None:
    async def test(client: httpx.AsyncClient, _: FastAPI) -> None:
        refused = await classify(client, x_request_timeout_ms=given)
        assert refused.status_code == 400
        assert "X-Request-Timeout-Ms must be a positive number" in refused.json()["detail"]

    with_client(engine, test, Surroundings())


def running_at(seconds_per_row: float) -> Pace:
    pace, now = Pace(), asyncio.get_running_loop().time()
    pace.began(now - seconds_per_row, rows=1)
    pace.finished(now, more=False)
    pace.began(now, rows=1)
    return pace


def test_a_full_queue_says_how_long_it_will_take_to_empty(engine: GatedEngine) -> None:
    around = Surroundings()

    async def test(client: httpx.AsyncClient, app: FastAPI) -> None:
        engine.gate = threading.Event()
        accepted = [asyncio.ensure_future(classify(client))]
        while not app.state.classifier.batcher.busy:
            await asyncio.sleep(0.001)
        accepted.append(asyncio.ensure_future(classify(client, rows=5)))
        while app.state.classifier.batcher.waiting_rows != 5:
            await asyncio.sleep(0.001)
        for seconds_per_row, expected in ((0.0001, "1"), (0.55, "4")):
            app.state.classifier.batcher._pace = running_at(seconds_per_row)
            refused = await classify(client, rows=2)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, expected)
        engine.gate.set()
        await asyncio.gather(*accepted)

    with_client(engine, test, around)


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_metrics_add_up_to_the_requests(engine: GatedEngine) -> None:
    async def test(client: httpx.AsyncClient, app: FastAPI) -> None:
        await asyncio.gather(*(classify(client, rows=3) for _ in range(2)))
        await client.get("/nowhere")
        await client.get("/v2/models/tiny")
        await client.post("/v1/classify", content=b"{")
        answer = await client.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=")
        found = samples(answer.text)

        def requests(path: str, status: str) -> float:
            return found[("evalkit_requests_total", (("path", path), ("status", status)))]

        assert requests("/v1/classify", "200") == 2
        assert requests("/v1/classify", "400") == 1
        assert requests("other", "404") == 1
        assert requests("/v2/models/{name}", "200") == 1
        assert found[("evalkit_batch_rows_sum", ())] == 6
        batches = found[("evalkit_batch_rows_count", ())]
        assert 1 <= batches <= 2
        assert found[("evalkit_compute_seconds_count", ())] == found[("evalkit_batch_tokens_count", ())] == batches
        assert found[("evalkit_batch_tokens_sum", ())] == 6 * 3  # [CLS] good [SEP]
        assert found[("evalkit_tokenise_seconds_count", ())] == found[("evalkit_queue_seconds_count", ())] == 2
        assert found[("evalkit_request_seconds_count", ())] == 2
        assert found[("evalkit_waiting_rows", ())] == 0
        about = (("name", "tiny"), ("provider", "cpu"), ("version", engine.version))
        assert found[("evalkit_model_info", about)] == 1

    with_client(engine, test, Surroundings())


def test_refused_and_dropped_rows_are_counted_with_their_reason(engine: GatedEngine) -> None:
    async def test(client: httpx.AsyncClient, app: FastAPI) -> None:
        engine.gate = threading.Event()
        first = asyncio.ensure_future(classify(client))
        while not app.state.classifier.batcher.busy:
            await asyncio.sleep(0.001)
        late = asyncio.ensure_future(classify(client, rows=5, x_request_timeout_ms="20"))
        while app.state.classifier.batcher.waiting_rows != 5:
            await asyncio.sleep(0.001)
        assert (await classify(client, rows=3)).status_code == 503
        await asyncio.sleep(0.03)
        engine.gate.set()
        await asyncio.gather(first, late)
        found = samples((await client.get("/metrics")).text)
        assert found[("evalkit_refused_total", (("reason", "queue full"),))] == 1
        assert found[("evalkit_dropped_rows_total", (("reason", "deadline passed"),))] == 5
        assert found[("evalkit_dropped_rows_total", (("reason", "client gone"),))] == 0

    with_client(engine, test, Surroundings())


def test_metrics_come_as_openmetrics_where_asked_and_take_only_get(engine: GatedEngine) -> None:
    async def test(client: httpx.AsyncClient, _: FastAPI) -> None:
        answer = await client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        assert answer.text.endswith("# EOF\n")
        assert (await client.post("/metrics")).status_code == 405

    with_client(engine, test, Surroundings())


def test_the_access_log_has_one_json_line_a_request(engine: GatedEngine, tmp_path: Path) -> None:
    log = tmp_path / "access.jsonl"

    async def test(client: httpx.AsyncClient, _: FastAPI) -> None:
        answer = await classify(client, rows=2, x_request_id="r1")
        await client.get("/nowhere?key=secret")
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        first = lines[0]
        assert first.pop("time").endswith("Z")
        assert 0 < first.pop("ms") < 5_000
        assert first == {
            "request_id": "r1",
            "client": "127.0.0.1:123",
            "method": "POST",
            "path": "/v1/classify",
            "status": 200,
            "rows": 2,
            "bytes_in": len(answer.request.content),
            "bytes_out": len(answer.content),
        }
        assert [(line["status"], line["path"], line["rows"]) for line in lines[1:]] == [(404, "/nowhere", None)]

    with_client(engine, test, Surroundings(access_log=AccessLog.opened(log)))


def test_a_log_that_cannot_be_written_stops_no_request_and_is_said_once(
    engine: GatedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)

    async def test(client: httpx.AsyncClient, _: FastAPI) -> None:
        for _ in range(3):
            assert (await classify(client)).status_code == 200

    with caplog.at_level(logging.ERROR):
        with_client(engine, test, Surroundings(access_log=AccessLog(descriptor)))

    assert [record.message for record in caplog.records] == [
        "the access log cannot be written ([Errno 28] No space left on device); lines are lost"
    ]


def test_a_log_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"access_log .* cannot be opened"):
        AccessLog.opened(tmp_path / "none" / "log")


def test_every_request_is_a_span_below_the_clients_own(engine: GatedEngine) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    async def test(client: httpx.AsyncClient, _: FastAPI) -> None:
        parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        await classify(client, traceparent=parent, x_request_id="r1")
        await client.post("/v1/classify", json={"texts": ["poison"]})
        await client.get("/v2/models/tiny")

    with_client(engine, test, Surroundings(tracing=Tracing(provider)))

    good, failed, described = exporter.get_finished_spans()
    assert (good.name, good.kind) == ("POST /v1/classify", SpanKind.SERVER)
    assert good.parent is not None
    assert (good.context.trace_id, good.parent.span_id) == (0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331)
    assert good.attributes is not None
    assert good.attributes["http.response.status_code"] == 200
    assert good.attributes["evalkit.request_id"] == "r1"
    assert failed.parent is None
    assert failed.status.status_code is StatusCode.ERROR
    assert described.name == "GET /v2/models/{name}"


def test_tracing_is_off_unless_the_environment_asks_for_it() -> None:
    assert tracing_from({"PATH": "/bin"}) is None
    assert tracing_from({"OTEL_TRACES_EXPORTER": "none"}) is None
    assert tracing_from({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}) is None
    asked = tracing_from({"OTEL_TRACES_EXPORTER": "console"})
    assert asked is not None
    asked.close()


def test_an_exporter_that_is_not_installed_is_refused() -> None:
    with pytest.raises(SettingsError, match="asks for carrier-pigeon, which is not installed"):
        tracing_from({"OTEL_TRACES_EXPORTER": "carrier-pigeon"})


def test_spans_reach_an_otlp_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "the-shop")
        tracing = tracing_from(os.environ)
        assert tracing is not None
        with tracing.span({"type": "http", "method": "GET", "path": "/v2", "headers": []}) as span:
            tracing.finish(span, 200, "r1")
        tracing.close()
        collector.shutdown()

    ((path, body),) = received
    assert path == "/v1/traces"
    assert b"the-shop" in body
    assert b"GET /v2" in body
