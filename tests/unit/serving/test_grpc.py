"""The gRPC calls in process: what the typed form answers, and the status code of every refusal."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest

from serving.classifier import Classifier
from serving.engine import Engine
from serving.errors import ListenError
from serving.grpc_server import start_grpc
from serving.keys import Keys
from serving.protos.messages import REQUESTS, RESPONSES, SERVICE
from serving.provider import Provider
from serving.settings import ServerSettings

SETTINGS = ServerSettings(
    grpc_port=0, max_batch_rows=4, queue_limit_rows=4, max_request_rows=4, max_body_bytes=20_000, threads=1
)
TEXTS = ["good day", "bad", "a plain film"]
NO_KEYS = Keys()
Call = Callable[..., Awaitable[Any]]


class GatedEngine(Engine):
    """The real engine, except that a batch waits until the test opens the gate."""

    gate: threading.Event | None = None
    computed = 0

    def probabilities(self, encoded: Any) -> np.ndarray:
        if self.gate is not None:
            assert self.gate.wait(timeout=10)
        self.computed += len(encoded)
        return super().probabilities(encoded)


@pytest.fixture
def engine(tiny_model_folder: Path) -> GatedEngine:
    engine = GatedEngine.load(tiny_model_folder, provider=Provider.CPU)
    assert isinstance(engine, GatedEngine)
    return engine


def served(engine: Engine, test: Callable[[Call, Classifier], Awaitable[None]], keys: Keys = NO_KEYS) -> None:
    """Run a test against a server that listens on a free port."""

    async def body() -> None:
        classifier = Classifier(engine, SETTINGS)
        classifier.start()
        server = await start_grpc(classifier, SETTINGS, keys)
        try:
            await asyncio.wait_for(connected(server.port, test, classifier), timeout=20)
        finally:
            await server.stop(grace_s=1)
            await classifier.drain()
            classifier.close()

    async def connected(port: int, test: Any, classifier: Classifier) -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            calls = {
                name: channel.unary_unary(f"/{SERVICE}/{name}", kind.SerializeToString, RESPONSES[name].FromString)
                for name, kind in REQUESTS.items()
            }

            async def call(name: str, request: Any = None, timeout: float | None = None, metadata: Any = None) -> Any:
                message = REQUESTS[name]() if request is None else request
                return await calls[name](message, timeout=timeout, metadata=metadata)

            await test(call, classifier)

    asyncio.run(body())


def infer(texts: list[str], **more: Any) -> Any:
    request = REQUESTS["ModelInfer"](**{"model_name": "tiny", **more})
    tensor = request.inputs.add(name="text", datatype="BYTES", shape=[len(texts)])
    tensor.contents.bytes_contents.extend(text.encode() for text in texts)
    return request


async def refusal(answering: Awaitable[Any]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await answering
    return failed.value.code(), failed.value.details() or ""


def test_typed_texts_get_typed_answers(engine: GatedEngine) -> None:
    async def test(call: Call, _: Classifier) -> None:
        answer = await call("ModelInfer", infer(TEXTS, id="r-7", model_version=engine.version))
        probabilities, label = answer.outputs
        found = np.array(probabilities.contents.fp32_contents, dtype=np.float32).reshape(probabilities.shape)
        np.testing.assert_allclose(found, engine.classify(TEXTS).probabilities, rtol=1e-5)
        assert (probabilities.datatype, label.datatype, list(label.shape)) == ("FP32", "BYTES", [3])
        assert list(label.contents.bytes_contents) == [b"positive", b"negative", b"neutral"]
        assert (answer.model_name, answer.model_version, answer.id) == ("tiny", engine.version, "r-7")
        assert answer.parameters["truncated"].int64_param == 0
        assert not answer.raw_output_contents

    served(engine, test)


def test_raw_token_ids_get_raw_answers(engine: GatedEngine) -> None:
    (row,) = engine.encode(["good day"])
    request = REQUESTS["ModelInfer"](model_name="tiny")
    request.inputs.add(name="input_ids", datatype="INT64", shape=[1, len(row.ids)])
    request.outputs.add(name="probabilities")
    request.raw_input_contents.append(np.array(row.ids, dtype="<i8").tobytes())

    async def test(call: Call, _: Classifier) -> None:
        answer = await call("ModelInfer", request)
        (raw,) = answer.raw_output_contents
        np.testing.assert_allclose(
            np.frombuffer(raw, dtype="<f4"), engine.classify(["good day"]).probabilities[0], rtol=1e-5
        )
        assert not answer.outputs[0].HasField("contents")

    served(engine, test)


def changed(change: Callable[[Any], object]) -> Any:
    request = infer(["good"])
    change(request)
    return request


@pytest.mark.parametrize(
    ("request_", "code", "details"),
    [
        (infer(["a"], model_name="other"), grpc.StatusCode.NOT_FOUND, "no model 'other'"),
        (infer(["a"], model_version="1"), grpc.StatusCode.NOT_FOUND, "no version '1'"),
        (infer([]), grpc.StatusCode.INVALID_ARGUMENT, "every dimension must be at least 1"),
        (infer(["a"] * 5), grpc.StatusCode.INVALID_ARGUMENT, "5 rows, the limit is 4"),
        (infer(["poison"]), grpc.StatusCode.INTERNAL, "not finite"),
        (infer(["a" * 20_000]), grpc.StatusCode.RESOURCE_EXHAUSTED, "larger than max"),
        (REQUESTS["ModelInfer"](model_name="tiny"), grpc.StatusCode.INVALID_ARGUMENT, "no input"),
        (
            changed(lambda request: request.inputs[0].contents.bytes_contents.append(b"")),
            grpc.StatusCode.INVALID_ARGUMENT,
            "2 elements; its shape [1] takes 1",
        ),
        (
            changed(lambda request: request.inputs[0].contents.bytes_contents.__setitem__(0, b"\xff")),
            grpc.StatusCode.INVALID_ARGUMENT,
            "element 0 of input 'text' is not UTF-8",
        ),
        (
            changed(lambda request: request.raw_input_contents.append(b"\0\0\0\0")),
            grpc.StatusCode.INVALID_ARGUMENT,
            "contents beside raw_input_contents",
        ),
        (
            changed(lambda request: request.raw_input_contents.extend([b"", b""])),
            grpc.StatusCode.INVALID_ARGUMENT,
            "2 entries for 1 inputs",
        ),
        (
            changed(lambda request: request.outputs.add(name="logits")),
            grpc.StatusCode.INVALID_ARGUMENT,
            "no output 'logits'",
        ),
        (
            changed(lambda request: request.inputs[0].shape.append(2**62)),
            grpc.StatusCode.INVALID_ARGUMENT,
            "it must be [n] or [n, 1]",
        ),
        (
            changed(lambda request: request.inputs[0].ClearField("shape")),
            grpc.StatusCode.INVALID_ARGUMENT,
            "shape []; it must be [n] or [n, 1]",
        ),
        (
            changed(lambda request: setattr(request.parameters["timeout"], "string_param", "soon")),
            grpc.StatusCode.INVALID_ARGUMENT,
            "whole number of microseconds",
        ),
        (
            changed(lambda request: setattr(request.inputs[0].parameters["shared_memory_region"], "string_param", "r")),
            grpc.StatusCode.INVALID_ARGUMENT,
            "does not support",
        ),
    ],
)
def test_a_bad_request_has_a_status_code_and_a_sentence(
    engine: GatedEngine, request_: Any, code: grpc.StatusCode, details: str
) -> None:
    async def test(call: Call, _: Classifier) -> None:
        found, said = await refusal(call("ModelInfer", request_))
        assert (found, details in said) == (code, True), said

    served(engine, test)


def test_an_unforeseen_failure_tells_the_client_nothing(engine: GatedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(encoded: object) -> np.ndarray:
        raise KeyError("secret")

    async def test(call: Call, _: Classifier) -> None:
        assert await refusal(call("ModelInfer", infer(["a"]))) == (
            grpc.StatusCode.INTERNAL,
            "the server failed; its log says how",
        )

    monkeypatch.setattr(engine, "probabilities", broken)
    served(engine, test)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def test_a_full_queue_and_a_draining_server_are_unavailable(engine: GatedEngine) -> None:
    async def test(call: Call, classifier: Classifier) -> None:
        engine.gate = threading.Event()
        running = asyncio.ensure_future(call("ModelInfer", infer(["good"])))
        await until(lambda: classifier.batcher.busy)
        waiting = asyncio.ensure_future(call("ModelInfer", infer(["good"] * 4)))
        await until(lambda: classifier.batcher.waiting_rows == 4)
        code, said = await refusal(call("ModelInfer", infer(["good"])))
        assert (code, "exceed the limit of 4" in said) == (grpc.StatusCode.UNAVAILABLE, True)

        draining = asyncio.ensure_future(classifier.drain())
        await asyncio.sleep(0)
        code, said = await refusal(call("ModelInfer", infer(["good"])))
        assert (code, "draining" in said) == (grpc.StatusCode.UNAVAILABLE, True)
        assert not (await call("ServerReady")).ready
        assert not (await call("ModelReady", REQUESTS["ModelReady"](name="tiny"))).ready
        assert (await call("ServerLive")).live
        engine.gate.set()
        assert len((await running).outputs) == len((await waiting).outputs) == 2
        await draining

    served(engine, test)


def test_rows_whose_deadline_passed_or_whose_call_was_cancelled_are_not_computed(engine: GatedEngine) -> None:
    async def test(call: Call, classifier: Classifier) -> None:
        engine.gate = threading.Event()
        before = engine.computed
        running = asyncio.ensure_future(call("ModelInfer", infer(["good"])))
        await until(lambda: classifier.batcher.busy)
        late = asyncio.ensure_future(refusal(call("ModelInfer", infer(["bad"]), timeout=0.05)))
        impatient = infer(["bad"])
        impatient.parameters["timeout"].int64_param = 1_000
        too_late = asyncio.ensure_future(refusal(call("ModelInfer", impatient)))
        left = asyncio.ensure_future(call("ModelInfer", infer(["bad"])))
        await until(lambda: classifier.batcher.waiting_rows == 3)
        left.cancel()
        assert (await late)[0] == grpc.StatusCode.DEADLINE_EXCEEDED
        await asyncio.sleep(0.05)  # the server hears of the cancelled call
        engine.gate.set()
        await running
        assert (await too_late)[0] == grpc.StatusCode.DEADLINE_EXCEEDED
        assert engine.computed - before == 1

    served(engine, test)


def test_metadata_is_that_of_the_rest_calls(engine: GatedEngine) -> None:
    async def test(call: Call, _: Classifier) -> None:
        server = await call("ServerMetadata")
        assert (server.name, list(server.extensions)) == ("evalkit-serving", ["binary_tensor_data"])
        model = await call("ModelMetadata", REQUESTS["ModelMetadata"](name="tiny"))
        assert (model.name, list(model.versions), model.platform) == ("tiny", [engine.version], "onnxruntime_onnx")
        assert [(tensor.name, tensor.datatype, list(tensor.shape)) for tensor in model.inputs] == [
            ("text", "BYTES", [-1]),
            ("input_ids", "INT64", [-1, -1]),
            ("attention_mask", "INT64", [-1, -1]),
        ]
        assert [(tensor.name, list(tensor.shape)) for tensor in model.outputs] == [
            ("probabilities", [-1, 3]),
            ("label", [-1]),
        ]
        for name in ("ModelMetadata", "ModelReady"):
            code, _said = await refusal(call(name, REQUESTS[name](name="other")))
            assert code == grpc.StatusCode.NOT_FOUND
            code, _said = await refusal(call(name, REQUESTS[name](name="tiny", version="1")))
            assert code == grpc.StatusCode.NOT_FOUND

    served(engine, test)


def test_a_server_with_keys_answers_only_who_has_one_and_probes(engine: GatedEngine) -> None:
    async def test(call: Call, _: Classifier) -> None:
        for metadata in (None, (("authorization", "Bearer wrong-wrong-wrong"),)):
            code, said = await refusal(call("ModelInfer", infer(["good"]), metadata=metadata))
            assert (code, "wants a key" in said) == (grpc.StatusCode.UNAUTHENTICATED, True)
        assert (await refusal(call("ServerMetadata")))[0] == grpc.StatusCode.UNAUTHENTICATED
        assert (await call("ServerLive")).live
        for metadata in ((("authorization", "Bearer right-right-right"),), (("x-api-key", "right-right-right"),)):
            assert len((await call("ModelInfer", infer(["good"]), metadata=metadata)).outputs) == 2

    served(engine, test, Keys(api=(b"right-right-right",)))


def test_with_a_certificate_the_calls_are_encrypted(engine: GatedEngine, tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", str(key), "-out", str(cert), "-days", "1", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost"),
        ],
        check=True,
        capture_output=True,
    )
    settings = replace(SETTINGS, tls_cert=cert, tls_key=key)

    async def body() -> None:
        classifier = Classifier(engine, settings)
        server = await start_grpc(classifier, settings, NO_KEYS)
        live, answer = REQUESTS["ServerLive"], RESPONSES["ServerLive"]
        trusted = grpc.ssl_channel_credentials(root_certificates=cert.read_bytes())
        async with (
            grpc.aio.secure_channel(f"localhost:{server.port}", trusted) as encrypted,
            grpc.aio.insecure_channel(f"localhost:{server.port}") as plain,
        ):
            calls = [
                channel.unary_unary(f"/{SERVICE}/ServerLive", live.SerializeToString, answer.FromString)
                for channel in (encrypted, plain)
            ]
            assert (await calls[0](live(), timeout=10)).live
            assert (await refusal(calls[1](live(), timeout=10)))[0] == grpc.StatusCode.UNAVAILABLE
        await server.stop(grace_s=0)
        with pytest.raises(ListenError, match="the TLS files cannot be read"):
            await start_grpc(classifier, replace(settings, tls_key=tmp_path / "none"), NO_KEYS)
        classifier.close()

    asyncio.run(body())


def test_a_port_in_use_is_an_error(engine: GatedEngine) -> None:
    async def body() -> None:
        classifier = Classifier(engine, SETTINGS)
        server = await start_grpc(classifier, SETTINGS, NO_KEYS)
        taken = ServerSettings(grpc_port=server.port)
        with pytest.raises(ListenError, match=f"gRPC port {server.port} on 127.0.0.1 cannot be used"):
            await start_grpc(classifier, taken, NO_KEYS)
        await server.stop(grace_s=0)
        classifier.close()

    asyncio.run(body())
