"""The HTTP application in process: the contract of each call, and every refusal as problem details."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from serving.app import create_app
from serving.engine import Engine
from serving.provider import Provider
from serving.settings import ServerSettings
from serving.tokens import EncodedText

SETTINGS = ServerSettings(max_batch_rows=4, queue_limit_rows=6, max_request_rows=6, max_body_bytes=20_000, threads=1)
Test = Callable[[httpx.AsyncClient, FastAPI], Awaitable[None]]


class GatedEngine(Engine):
    """The real engine, except that a batch waits until the test opens the gate."""

    gate: threading.Event | None = None

    def probabilities(self, encoded: Any) -> np.ndarray:
        if self.gate is not None:
            assert self.gate.wait(timeout=10)
        return super().probabilities(encoded)


def with_client(engine: Engine, test: Test, *, started: bool = True) -> None:
    async def body() -> None:
        app = create_app(engine, SETTINGS)
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            if not started:
                await test(client, app)
                return
            async with app.router.lifespan_context(app):
                await asyncio.wait_for(test(client, app), timeout=20)

    asyncio.run(body())


@pytest.fixture
def engine(tiny_model_folder: Path) -> GatedEngine:
    engine = GatedEngine.load(tiny_model_folder, provider=Provider.CPU)
    assert isinstance(engine, GatedEngine)
    return engine


def assert_problem(response: httpx.Response, status: int, title: str, detail: str) -> None:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    if response.request.url.path.startswith("/v2"):  # clients of the protocol read this member
        assert body.pop("error") == body["detail"]
    assert body.keys() == {"title", "status", "detail"}
    assert (body["title"], body["status"]) == (title, status)
    assert detail in body["detail"]


def test_classify_answers_what_the_engine_answers(engine: GatedEngine) -> None:
    texts = ["good day", "bad", "plain film", "day " * 40, "not good", "the service"]
    expected = engine.classify(texts)

    async def test(client: httpx.AsyncClient, _: FastAPI) -> None:
        answer = (await client.post("/v1/classify", json={"texts": texts})).json()
        assert answer["model"] == "tiny"
        assert answer["version"] == engine.version
        assert answer["labels"] == ["negative", "neutral", "positive"]
        assert answer["truncated"] == 1
        found = np.array([row["probabilities"] for row in answer["predictions"]], dtype=np.float32)
        np.testing.assert_allclose(found, expected.probabilities, rtol=1e-5)
        assert [row["label"] for row in answer["predictions"]][:3] == ["positive", "negative", "neutral"]

    with_client(engine, test)


def test_concurrent_requests_each_get_their_own_answer(engine: GatedEngine) -> None:
    texts = ["good", "bad", "plain", "very good", "not bad", "slow day"]
    expected = engine.classify(texts).probabilities

    async def test(client: httpx.AsyncClient, _: FastAPI) -> None:
        answers = await asyncio.gather(*(client.post("/v1/classify", json={"texts": [text]}) for text in texts))
        for answer, row in zip(answers, expected, strict=True):
            (prediction,) = answer.json()["predictions"]
            np.testing.assert_allclose(prediction["probabilities"], row, rtol=1e-5)

    with_client(engine, test)


@pytest.mark.parametrize(
    ("body", "status", "title", "detail"),
    [
        (b"{", 400, "Bad Request", "not JSON"),
        (b"", 400, "Bad Request", "not JSON"),
        (b'{"texts": ["\\ud800"]}', 400, "Bad Request", "not JSON"),
        (b"[]", 422, "Unprocessable Content", 'object with the key "texts"'),
        (b'{"text": ["a"]}', 422, "Unprocessable Content", 'object with the key "texts"'),
        (b'{"texts": ["a"], "top": 1}', 422, "Unprocessable Content", "unknown keys 'top'"),
        (b'{"texts": "a"}', 422, "Unprocessable Content", "list of at least one string"),
        (b'{"texts": []}', 422, "Unprocessable Content", "list of at least one string"),
        (b'{"texts": ["a", 1]}', 422, "Unprocessable Content", "strings only"),
        (b'{"texts": ["a","a","a","a","a","a","a"]}', 413, "Content Too Large", "7 texts, the limit is 6"),
        (b'{"texts": ["' + b"a" * 20_000 + b'"]}', 413, "Content Too Large", "larger than 20000 bytes"),
    ],
)
def test_a_bad_request_is_refused_in_words(
    engine: GatedEngine, body: bytes, status: int, title: str, detail: str
) -> None:
    async def test(client: httpx.AsyncClient, _: FastAPI) -> None:
        assert_problem(await client.post("/v1/classify", content=body), status, title, detail)

    with_client(engine, test)


def test_a_body_sent_in_pieces_counts_as_a_whole(engine: GatedEngine) -> None:
    async def pieces(count: int) -> Any:
        yield b'{"texts": ["good'
        for _ in range(count):
            yield b" day" * 250
        yield b'"]}'

    async def test(client: httpx.AsyncClient, _: FastAPI) -> None:
        fits = await client.post("/v1/classify", content=pieces(10))
        assert (fits.status_code, fits.json()["truncated"]) == (200, 1)
        too_large = await client.post("/v1/classify", content=pieces(21))
        assert too_large.status_code == 413

    with_client(engine, test)


def test_a_text_the_model_cannot_answer_fails_alone(engine: GatedEngine) -> None:
    async def test(client: httpx.AsyncClient, _: FastAPI) -> None:
        good, bad = await asyncio.gather(
            client.post("/v1/classify", json={"texts": ["good"]}),
            client.post("/v1/classify", json={"texts": ["poison"]}),
        )
        assert good.json()["predictions"][0]["label"] == "positive"
        assert_problem(bad, 500, "Internal Server Error", "not finite")

    with_client(engine, test)


def test_an_unforeseen_failure_is_a_problem_with_a_request_id(
    engine: GatedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(encoded: list[EncodedText]) -> np.ndarray:
        raise KeyError("secret")

    monkeypatch.setattr(engine, "probabilities", broken)

    async def test(client: httpx.AsyncClient, _: FastAPI) -> None:
        answer = await client.post("/v1/classify", json={"texts": ["a"]}, headers={"X-Request-Id": "r1"})
        assert_problem(answer, 500, "Internal Server Error", "its log says how")
        assert answer.headers["x-request-id"] == "r1"
        assert "secret" not in answer.text

    with_client(engine, test)


async def until_waiting(app: FastAPI, rows: int) -> None:
    while app.state.classifier.batcher.waiting_rows != rows:
        await asyncio.sleep(0.001)


def test_a_full_queue_refuses_with_503_and_retry_after_and_spends_no_work_on_it(
    engine: GatedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenised: list[list[str]] = []
    encode = engine.encode

    def recorded(texts: Any) -> list[EncodedText]:
        tokenised.append(texts)
        return encode(texts)

    async def test(client: httpx.AsyncClient, app: FastAPI) -> None:
        engine.gate = threading.Event()
        monkeypatch.setattr(engine, "encode", recorded)

        def post(rows: int) -> asyncio.Task[httpx.Response]:
            return asyncio.ensure_future(client.post("/v1/classify", json={"texts": ["good"] * rows}))

        accepted = [post(1)]
        while app.state.classifier.batcher.waiting_rows or not app.state.classifier.batcher.busy:
            await asyncio.sleep(0.001)
        accepted.append(post(5))
        await until_waiting(app, 5)
        refused = await post(2)
        assert_problem(refused, 503, "Service Unavailable", "exceed the limit of 6")
        assert refused.headers["retry-after"] == "1"
        assert [len(texts) for texts in tokenised] == [1, 5]
        engine.gate.set()
        assert [answer.status_code for answer in await asyncio.gather(*accepted)] == [200, 200]

    with_client(engine, test)


def test_draining_answers_what_was_accepted_and_refuses_the_rest(engine: GatedEngine) -> None:
    async def test(client: httpx.AsyncClient, app: FastAPI) -> None:
        engine.gate = threading.Event()
        accepted = asyncio.ensure_future(client.post("/v1/classify", json={"texts": ["good"]}))
        while not app.state.classifier.batcher.busy:
            await asyncio.sleep(0.001)
        draining = asyncio.ensure_future(app.state.classifier.drain())
        await asyncio.sleep(0)
        refused = await client.post("/v1/classify", json={"texts": ["good"]})
        assert_problem(refused, 503, "Service Unavailable", "draining")
        assert (refused.headers["retry-after"], refused.headers["connection"]) == ("1", "close")
        for path in ("/v2/health/ready", "/v2/models/tiny/ready"):
            assert_problem(await client.get(path), 503, "Service Unavailable", "draining")
        assert (await client.get("/v2/health/live")).status_code == 200
        engine.gate.set()
        assert (await accepted).status_code == 200
        await draining

    with_client(engine, test)


def test_the_server_is_ready_only_once_warmed_up(engine: GatedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    warmed: list[int] = []
    monkeypatch.setattr(engine, "warm_up", warmed.append)

    async def before(client: httpx.AsyncClient, _: FastAPI) -> None:
        assert_problem(await client.get("/v2/health/ready"), 503, "Service Unavailable", "not warmed up")
        assert (await client.get("/v2/health/live")).json() == {"live": True}

    async def after(client: httpx.AsyncClient, _: FastAPI) -> None:
        assert (await client.get("/v2/health/ready")).json() == {"ready": True}
        assert (await client.get("/v2/models/tiny/ready")).json() == {"name": "tiny", "ready": True}

    with_client(engine, before, started=False)
    assert warmed == []
    with_client(engine, after)
    assert warmed == [SETTINGS.max_batch_rows]


def test_metadata_is_that_of_the_open_inference_protocol(engine: GatedEngine) -> None:
    async def test(client: httpx.AsyncClient, _: FastAPI) -> None:
        assert (await client.get("/v2")).json().keys() == {"name", "version", "extensions"}
        assert (await client.get("/v2/models/tiny")).json() == {
            "name": "tiny",
            "versions": [engine.version],
            "platform": "onnxruntime_onnx",
            "inputs": [
                {"name": "text", "datatype": "BYTES", "shape": [-1]},
                {"name": "input_ids", "datatype": "INT64", "shape": [-1, -1]},
                {"name": "attention_mask", "datatype": "INT64", "shape": [-1, -1]},
            ],
            "outputs": [
                {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]},
                {"name": "label", "datatype": "BYTES", "shape": [-1]},
            ],
            "parameters": {"labels": ["negative", "neutral", "positive"], "max_length": 16},
        }
        version = f"/v2/models/tiny/versions/{engine.version}"
        assert (await client.get(version)).json() == (await client.get("/v2/models/tiny")).json()
        assert (await client.get(f"{version}/ready")).json() == {"name": "tiny", "ready": True}
        for path in ("/v2/models/tiny/versions/2", "/v2/models/tiny/versions/2/ready"):
            assert_problem(await client.get(path), 404, "Not Found", "no version '2' of 'tiny'")
        for path in ("/v2/models/other", "/v2/models/other/ready"):
            assert_problem(await client.get(path), 404, "Not Found", "no model 'other'")

    with_client(engine, test)


def test_an_unknown_path_or_method_is_a_problem_too(engine: GatedEngine) -> None:
    async def test(client: httpx.AsyncClient, _: FastAPI) -> None:
        assert_problem(await client.get("/nowhere"), 404, "Not Found", "")
        wrong_method = await client.get("/v1/classify")
        assert_problem(wrong_method, 405, "Method Not Allowed", "")
        assert wrong_method.headers["allow"] == "POST"

    with_client(engine, test)


@pytest.mark.parametrize("given", ["abc-123", "x" * 128])
def test_a_request_id_is_echoed(engine: GatedEngine, given: str) -> None:
    async def test(client: httpx.AsyncClient, _: FastAPI) -> None:
        answer = await client.get("/v2", headers={"X-Request-Id": given})
        assert answer.headers["x-request-id"] == given

    with_client(engine, test)


@pytest.mark.parametrize("given", [None, "", "two words", "x" * 129])
def test_a_request_without_a_usable_id_gets_a_new_one(engine: GatedEngine, given: str | None) -> None:
    headers = {} if given is None else {"X-Request-Id": given}

    async def test(client: httpx.AsyncClient, _: FastAPI) -> None:
        made = [(await client.get("/v2", headers=headers)).headers["x-request-id"] for _ in range(2)]
        assert made[0] != made[1]
        assert all(len(one) == 32 and one != given for one in made)

    with_client(engine, test)


def test_the_openapi_document_describes_the_call_with_the_servers_limits(engine: GatedEngine) -> None:
    async def test(client: httpx.AsyncClient, _: FastAPI) -> None:
        document = (await client.get("/openapi.json")).json()
        call = document["paths"]["/v1/classify"]["post"]
        texts = call["requestBody"]["content"]["application/json"]["schema"]["properties"]["texts"]
        assert texts == {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 6}
        answer = call["responses"]["200"]["content"]["application/json"]["schema"]
        assert answer == {"$ref": "#/components/schemas/ClassifyResponse"}
        real = (await client.post("/v1/classify", json={"texts": ["a"]})).json()
        schemas = document["components"]["schemas"]
        assert schemas["ClassifyResponse"]["properties"].keys() == real.keys()
        assert schemas["Prediction"]["properties"].keys() == real["predictions"][0].keys()
        assert {"400", "413", "422", "500", "503"} <= call["responses"].keys()
        assert "application/problem+json" in call["responses"]["503"]["content"]

    with_client(engine, test)
