"""Triton's own client, which nobody here wrote, against the real server: REST and gRPC, texts and token ids."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.grpc.aio
import tritonclient.http
import tritonclient.http.aio
from tritonclient.utils import InferenceServerException

from serving.engine import Engine
from serving.provider import Provider
from tests.serving_process import Server, running

pytestmark = pytest.mark.alone

TEXTS = ["good day", "the film is bad", "a plain dáy", ""]
LABELS = [b"positive", b"negative", b"neutral"]
MODULES = {"http": tritonclient.http, "grpc": tritonclient.grpc}
ASYNC_MODULES = {"http": tritonclient.http.aio, "grpc": tritonclient.grpc.aio}


@dataclass
class Served:
    """A running server, the engine of its model, and a client's module for one of the two protocols."""

    server: Server
    engine: Engine
    protocol: str

    @property
    def module(self) -> ModuleType:
        return MODULES[self.protocol]

    @property
    def address(self) -> str:
        ready = self.server.ready
        return f"{ready['host']}:{ready['port' if self.protocol == 'http' else 'grpc_port']}"

    @contextmanager
    def client(self) -> Iterator[Any]:
        client = self.module.InferenceServerClient(self.address)
        try:
            yield client
        finally:
            client.close()

    def tensor(self, name: str, data: np.ndarray, **how: bool) -> Any:
        tensor = self.module.InferInput(name, data.shape, "BYTES" if data.dtype == object else "INT64")
        tensor.set_data_from_numpy(data, **how)
        return tensor

    def texts(self, *texts: str, **how: bool) -> Any:
        return self.tensor("text", np.array([text.encode() for text in texts], dtype=object), **how)


@pytest.fixture(params=MODULES)
def served(tiny_model_folder: Path, request: pytest.FixtureRequest) -> Iterator[Served]:
    engine = Engine.load(tiny_model_folder, provider=Provider.CPU)
    with running(tiny_model_folder, "--grpc-port", "0") as server:
        yield Served(server, engine, request.param)
        assert server.stop() == (0, "")


def text_of(error: InferenceServerException) -> str:
    return str(error.message())


def test_health_and_metadata_are_what_the_client_expects(served: Served) -> None:
    version = served.engine.version
    as_dict = {} if served.protocol == "http" else {"as_json": True}
    with served.client() as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("tiny")
        assert client.is_model_ready("tiny", version)
        assert client.get_server_metadata(**as_dict)["extensions"] == ["binary_tensor_data"]
        model = client.get_model_metadata("tiny", version, **as_dict)
        for name, wrong in (("other", ""), ("tiny", "1")):
            with pytest.raises(InferenceServerException, match="there is no"):
                client.get_model_metadata(name, wrong)

    assert (model["name"], model["versions"], model["platform"]) == ("tiny", [version], "onnxruntime_onnx")
    assert {item["name"]: item["datatype"] for item in model["inputs"]} == {
        "text": "BYTES",
        "input_ids": "INT64",
        "attention_mask": "INT64",
    }
    assert {item["name"]: item["datatype"] for item in model["outputs"]} == {"probabilities": "FP32", "label": "BYTES"}


def forms(served: Served) -> list[dict[str, bool]]:
    """Whether inputs are binary; gRPC's client knows only that form."""
    return [{"binary_data": True}, {"binary_data": False}] if served.protocol == "http" else [{}]


def test_texts_as_bytes_tensors_get_the_engines_answers(served: Served) -> None:
    expected = served.engine.classify(TEXTS).probabilities
    with served.client() as client:
        for how in forms(served):
            for requested in (
                None,
                [served.module.InferRequestedOutput(name, **how) for name in ("label", "probabilities")],
            ):
                answer = client.infer("tiny", [served.texts(*TEXTS, **how)], request_id="r-7", outputs=requested)
                np.testing.assert_allclose(answer.as_numpy("probabilities"), expected, rtol=1e-5)
                assert answer.as_numpy("probabilities").dtype == np.float32
                labels = answer.as_numpy("label")
                assert [as_bytes(label) for label in labels[:3]] == LABELS
                assert labels.shape == (4,)
                response = answer.get_response()
                assert (response["id"] if served.protocol == "http" else response.id) == "r-7"


def as_bytes(label: bytes | str) -> bytes:
    """What the client makes of a BYTES element depends on whether it came in binary."""
    return label if isinstance(label, bytes) else label.encode()


def test_a_column_of_texts_is_read_as_rows(served: Served) -> None:
    column = np.array([[b"good day"], [b"bad"]], dtype=object)
    with served.client() as client:
        answer = client.infer("tiny", [served.tensor("text", column)], model_version=served.engine.version)

    np.testing.assert_allclose(
        answer.as_numpy("probabilities"), served.engine.classify(["good day", "bad"]).probabilities, rtol=1e-5
    )


def test_token_ids_as_int64_tensors_get_the_answers_of_their_texts(served: Served) -> None:
    encoded = served.engine.encode(TEXTS)
    ids = np.zeros((len(encoded), max(len(row.ids) for row in encoded)), dtype=np.int64)
    mask = np.zeros_like(ids)
    for index, row in enumerate(encoded):
        ids[index, : len(row.ids)] = row.ids
        mask[index, : len(row.ids)] = 1
    with served.client() as client:
        for how in forms(served):
            inputs = [served.tensor("input_ids", ids, **how), served.tensor("attention_mask", mask, **how)]
            answer = client.infer("tiny", inputs)
            np.testing.assert_allclose(
                answer.as_numpy("probabilities"), served.engine.classify(TEXTS).probabilities, rtol=1e-5
            )


def test_the_client_shows_the_servers_own_words_for_each_refusal(served: Served) -> None:
    statuses = {
        "http": ("400", "404", "500", "504"),
        "grpc": (
            "StatusCode.INVALID_ARGUMENT",
            "StatusCode.NOT_FOUND",
            "StatusCode.INTERNAL",
            "StatusCode.DEADLINE_EXCEEDED",
        ),
    }
    invalid, unknown, failed, late = statuses[served.protocol]
    ids = np.array([[2, 900, 3]], dtype=np.int64)
    not_utf8 = served.tensor("text", np.array([b"\xff"], dtype=object))
    with served.client() as client:
        for inputs, more, status, words in (
            ([served.tensor("input_ids", ids)], {}, invalid, "the id 900, which is not in the vocabulary"),
            ([served.tensor("text", ids)], {}, invalid, "datatype 'INT64'; it must be BYTES"),
            ([not_utf8], {}, invalid, "element 0 of input 'text' is not UTF-8"),
            ([served.texts("good")] * 2, {}, invalid, "comes twice"),
            ([served.texts("good")], {"model_version": "1"}, unknown, "there is no version '1' of 'tiny'"),
            ([served.texts("poison")], {}, failed, "not finite"),
            ([served.texts(*["good"] * 64)], {"timeout": 1}, late, "deadline passed"),
        ):
            with pytest.raises(InferenceServerException) as refused:
                client.infer("tiny", inputs, **more)
            assert (refused.value.status(), words in text_of(refused.value)) == (status, True), text_of(refused.value)
        assert client.infer("tiny", [served.texts("good")]).as_numpy("label")[0] == b"positive"


def test_the_asynchronous_client_gets_each_request_its_own_answer(served: Served) -> None:
    texts = [f"{word} {other}" for word in ("good", "bad", "plain") for other in ("film", "day", "service", "a")] * 5
    expected = served.engine.classify(texts).probabilities

    async def body() -> None:
        client = ASYNC_MODULES[served.protocol].InferenceServerClient(served.address)
        try:
            answers = await asyncio.gather(*(client.infer("tiny", [served.texts(text)]) for text in texts))
        finally:
            await client.close()
        for answer, row in zip(answers, expected, strict=True):
            np.testing.assert_allclose(answer.as_numpy("probabilities")[0], row, rtol=1e-5)

    asyncio.run(body())


class _Asking(threading.Thread):
    """Asks over gRPC until it is refused; notes what came other than an answer or a refusal."""

    def __init__(self, served: Served) -> None:
        super().__init__()
        self._served = served
        self.answered = 0
        self.lost: list[str] = []

    def run(self) -> None:
        inputs = [self._served.texts(*["good day"] * 8)]
        with self._served.client() as client:
            while True:
                try:
                    client.infer("tiny", inputs)
                    self.answered += 1
                except InferenceServerException as error:
                    if "draining" not in text_of(error):
                        self.lost.append(repr((error.status(), text_of(error))))
                    return


def test_sigterm_under_grpc_calls_loses_none(tiny_model_folder: Path) -> None:
    engine = Engine.load(tiny_model_folder, provider=Provider.CPU)
    with running(tiny_model_folder, "--grpc-port", "0") as server:
        clients = [_Asking(Served(server, engine, "grpc")) for _ in range(4)]
        for client in clients:
            client.start()
        while not all(client.answered > 3 or client.lost for client in clients):
            clients[0].join(timeout=0.01)
        stopped = server.stop()
        for client in clients:
            client.join(timeout=20)

    assert [client.lost for client in clients] == [[]] * 4
    assert stopped == (0, "")
