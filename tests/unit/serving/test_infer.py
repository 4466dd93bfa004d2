"""The inference call of the Open Inference Protocol over REST: its answers, its binary form, and its refusals."""

from __future__ import annotations

import asyncio
import json
import struct
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from serving.app import create_app
from serving.engine import Engine
from serving.provider import Provider
from serving.settings import ServerSettings

SETTINGS = ServerSettings(max_batch_rows=4, queue_limit_rows=6, max_request_rows=6, max_body_bytes=20_000, threads=1)
PATH = "/v2/models/tiny/infer"
JSON_BYTES = "Inference-Header-Content-Length"
TEXTS = ["good day", "bad", "a plain film"]


def with_client(engine: Engine, test: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    async def body() -> None:
        app = create_app(engine, SETTINGS)
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://test") as client,
            app.router.lifespan_context(app),
        ):
            await asyncio.wait_for(test(client), timeout=20)

    asyncio.run(body())


@pytest.fixture
def engine(tiny_model_folder: Path) -> Engine:
    return Engine.load(tiny_model_folder, provider=Provider.CPU)


def post(engine: Engine, content: bytes, *, path: str = PATH, **headers: str) -> httpx.Response:
    """One request to a server of its own."""
    answers: list[httpx.Response] = []

    async def test(client: httpx.AsyncClient) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answers.append(await client.post(path, content=content, headers=named))

    with_client(engine, test)
    return answers[0]


def request(*inputs: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"inputs": inputs, **more}).encode()


def text(data: Any, shape: list[int] | None = None, **more: Any) -> dict[str, Any]:
    return {"name": "text", "datatype": "BYTES", "shape": [len(data)] if shape is None else shape, "data": data, **more}


def token_input(name: str, data: Any, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "datatype": "INT64", "shape": shape, "data": data}


def padded(engine: Engine, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """What a client's own tokenizer gives: int64 ids and mask [rows, tokens]."""
    encoded = engine.encode(texts)
    width = max(len(row.ids) for row in encoded)
    ids = np.zeros((len(encoded), width), dtype=np.int64)
    mask = np.zeros_like(ids)
    for index, row in enumerate(encoded):
        ids[index, : len(row.ids)] = row.ids
        mask[index, : len(row.ids)] = 1
    return ids, mask


def probabilities_of(answer: dict[str, Any]) -> np.ndarray:
    (output,) = (output for output in answer["outputs"] if output["name"] == "probabilities")
    return np.array(output["data"], dtype=np.float32).reshape(output["shape"])


@pytest.mark.parametrize(
    ("data", "shape"), [(TEXTS, [3]), (TEXTS, [3, 1]), ([["good day"], ["bad"], ["a plain film"]], [3, 1])]
)
def test_texts_in_json_get_the_engines_answers(engine: Engine, data: Any, shape: list[int]) -> None:
    answer = post(engine, request(text(data, shape), id="r-7")).json()

    np.testing.assert_allclose(probabilities_of(answer), engine.classify(TEXTS).probabilities, rtol=1e-5)
    assert answer["outputs"][1] == {
        "name": "label",
        "datatype": "BYTES",
        "shape": [3],
        "data": ["positive", "negative", "neutral"],
    }
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("tiny", engine.version, "r-7")
    assert answer["parameters"] == {"truncated": 0}


def test_an_answer_has_no_id_where_the_request_has_none_and_says_how_many_texts_were_cut(engine: Engine) -> None:
    answer = post(engine, request(text(["day " * 40, "good"]))).json()

    assert "id" not in answer
    assert answer["parameters"] == {"truncated": 1}


@pytest.mark.parametrize("nested", [False, True])
def test_token_ids_in_json_get_the_answers_of_their_texts(engine: Engine, nested: bool) -> None:
    ids, mask = padded(engine, TEXTS)
    inputs = [
        token_input(name, (data if nested else data.reshape(-1)).tolist(), list(data.shape))
        for name, data in (("input_ids", ids), ("attention_mask", mask))
    ]

    answer = post(engine, request(*inputs)).json()

    np.testing.assert_allclose(probabilities_of(answer), engine.classify(TEXTS).probabilities, rtol=1e-5)


def test_rows_of_one_length_need_no_mask(engine: Engine) -> None:
    ids, _ = padded(engine, ["good day", "bad film"])

    answer = post(engine, request(token_input("input_ids", ids.tolist(), list(ids.shape)))).json()

    np.testing.assert_allclose(
        probabilities_of(answer), engine.classify(["good day", "bad film"]).probabilities, rtol=1e-5
    )


def test_only_the_outputs_that_are_asked_for_come_and_in_that_order(engine: Engine) -> None:
    one = post(engine, request(text(["good"]), outputs=[{"name": "label"}])).json()
    both = post(engine, request(text(["good"]), outputs=[{"name": "label"}, {"name": "probabilities"}])).json()

    assert [output["name"] for output in one["outputs"]] == ["label"]
    assert [output["name"] for output in both["outputs"]] == ["label", "probabilities"]


def binary_request(*inputs: tuple[dict[str, Any], bytes], **more: Any) -> tuple[bytes, str]:
    """A body with binary data, and the header that says where it starts."""
    stated = [
        {**{key: value for key, value in given.items() if key != "data"}, "parameters": {"binary_data_size": len(raw)}}
        for given, raw in inputs
    ]
    head = request(*stated, **more)
    return head + b"".join(raw for _, raw in inputs), str(len(head))


def packed(*elements: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(element)) + element for element in elements)


def test_binary_texts_and_binary_outputs_follow_the_extension(engine: Engine) -> None:
    texts = ["good dáy", "", "day\0day"]
    body, json_bytes = binary_request(
        (text(texts), packed(*(item.encode() for item in texts))), parameters={"binary_data_output": True}
    )

    response = post(engine, body, Inference_Header_Content_Length=json_bytes)

    assert response.headers["content-type"] == "application/octet-stream"
    length = int(response.headers[JSON_BYTES])
    head, raw = json.loads(response.content[:length]), response.content[length:]
    sizes = [output["parameters"]["binary_data_size"] for output in head["outputs"]]
    assert sizes[0] == 3 * 3 * 4
    assert sum(sizes) == len(raw)
    expected = engine.classify(texts).probabilities
    np.testing.assert_allclose(np.frombuffer(raw[: sizes[0]], dtype="<f4").reshape(3, 3), expected, rtol=1e-5)
    labels = [engine.labels[best].encode() for best in expected.argmax(axis=1)]
    assert raw[sizes[0] :] == packed(*labels)


def test_each_output_may_be_binary_or_not(engine: Engine) -> None:
    outputs = [{"name": "label", "parameters": {"binary_data": True}}, {"name": "probabilities"}]

    response = post(engine, request(text(["good"]), outputs=outputs))

    length = int(response.headers[JSON_BYTES])
    assert response.content[length:] == packed(b"positive")
    assert "data" in json.loads(response.content[:length])["outputs"][1]


def test_binary_token_ids_of_any_alignment_are_read(engine: Engine) -> None:
    ids, mask = padded(engine, TEXTS)
    for identity in ("", "1", "12", "123"):  # shifts where the binary data starts
        body, json_bytes = binary_request(
            (token_input("input_ids", None, list(ids.shape)), ids.astype("<i8").tobytes()),
            (token_input("attention_mask", None, list(mask.shape)), mask.astype("<i8").tobytes()),
            id=identity,
        )
        answer = post(engine, body, Inference_Header_Content_Length=json_bytes).json()
        np.testing.assert_allclose(probabilities_of(answer), engine.classify(TEXTS).probabilities, rtol=1e-5)


NO_DATA = {"name": "text", "datatype": "BYTES", "shape": [1]}
IDS = token_input("input_ids", [2, 4, 3, 2, 5, 3], [2, 3])


def mask_of(data: list[int], shape: list[int] | None = None) -> dict[str, Any]:
    return token_input("attention_mask", data, shape or [2, 3])


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b'{"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": [NaN]}]}', "not JSON"),
        (b'{"inputs": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "not JSON"),
        (b'{"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["\\ud800"]}]}', "not JSON"),
        (b"[]", "the body must be a JSON object"),
        (b"{}", '"inputs" must be a list of at least one object'),
        (request(), '"inputs" must be a list of at least one object'),
        (request(text(["a"]), output=[]), "unknown key 'output'; known are id, inputs, outputs, parameters"),
        (request(text(["a"], extra=1)), "an input has the unknown key 'extra'"),
        (request(text(["a"]), id=7), '"id" must be a string'),
        (request(text(["a"]), id=None), '"id" must be a string'),
        (request(text(["a"]), parameters=[]), '"parameters" of the request must be a JSON object'),
        (request(text(["a"]), parameters={"timeout": -1}), "whole number of microseconds"),
        (request(text(["a"]), parameters={"timeout": True}), "whole number of microseconds"),
        (request(text(["a"]), parameters={"binary_data_output": 1}), "must be true or false"),
        (b'{"inputs": [3]}', "an input must be a JSON object"),
        (request({"name": "text"}), 'needs "datatype", a string'),
        (request(text(["a"], name=None)), 'needs "name", a string'),
        (request(text(["a"], name="words")), "no input 'words'; its inputs are text, input_ids, attention_mask"),
        (request(text(["a"], name="w" * 9_000)), "…; its inputs are"),
        (request(token_input("token_type_ids", [0], [1, 1])), "no input 'token_type_ids'"),
        (request(text(["a"], datatype="FP32")), "datatype 'FP32'; it must be BYTES"),
        (request(token_input("text", [1], [1])), "datatype 'INT64'; it must be BYTES"),
        (request(text(["a"], [])), "must be a list of integers"),
        (request(text(["a"], [1.0])), "must be a list of integers"),  # type: ignore[list-item]
        (request(text(["a"], [True])), "must be a list of integers"),
        (request(text(["a"], [-1])), "every dimension must be at least 1"),
        (request(text(["a"], [0])), "every dimension must be at least 1"),
        (request(text(["a"], [1, 2])), "shape [1, 2]; it must be [n] or [n, 1]"),
        (request(text(["a"], [1, 1, 1])), "shape [1, 1, 1]; it must be [n] or [n, 1]"),
        (request(text(["a"], [1] * 5_000)), "shape [1, 1, 1, 1, …]"),
        (request(text(["a"], [2])), "1 elements; its shape [2] takes 2"),
        (request(text([["a"]], [1])), "must be strings, and strings only"),
        (request(text(["a", 1])), "must be strings, and strings only"),
        (request(text([["a"], "b"], [2, 1])), "nested otherwise than its shape [2, 1]"),
        (request(NO_DATA), 'needs "data", a list, or binary data'),
        (request(text("a")), 'needs "data", a list, or binary data'),
        (request(text(["a"]), text(["b"])), "input 'text' comes twice"),
        (request(text(["a"]), IDS), "either 'text' or token ids, not both"),
        (request(mask_of([1] * 6)), "the request has attention_mask; give 'text' or 'input_ids'"),
        (request(token_input("input_ids", [2, 4, 3], [3])), "it must be [n, tokens]"),
        (request(token_input("input_ids", [2, 4, 3.0], [1, 3])), "must be integers, and integers only"),
        (request(token_input("input_ids", [2, 4, True], [1, 3])), "must be integers, and integers only"),
        (request(token_input("input_ids", [2, 4, 2**63], [1, 3])), "a number beyond INT64"),
        (request(token_input("input_ids", [2, 4, 17], [1, 3])), "the id 17, which is not in the vocabulary: 0 to 16"),
        (request(token_input("input_ids", [2, -1, 3], [1, 3])), "the id -1, which is not in the vocabulary"),
        (request(token_input("input_ids", [2] * 17, [1, 17])), "17 tokens a row, the model reads 16"),
        (request(token_input("input_ids", [2], [1, 2**62])), f"{2**62} tokens a row"),
        (request(token_input("input_ids", [2, 3, 0], [1, 3])), "row 0 of input 'input_ids' ends in the padding id 0"),
        (request(IDS, mask_of([1, 1], [2, 1])), "shape [2, 1] and 'input_ids' [2, 3]; they must be equal"),
        (request(IDS, mask_of([1, 1, 1, 0, 0, 0])), "row 1 of input 'attention_mask' is all 0"),
        (request(IDS, mask_of([1, 1, 1, 0, 1, 1])), "1 on the tokens of a row and 0 on the padding after them"),
        (request(IDS, mask_of([1, 1, 1, 2, 0, 0])), "1 on the tokens of a row and 0 on the padding after them"),
        (
            request(text(["a"]), outputs=[{"name": "logits"}]),
            "no output 'logits'; its outputs are probabilities, label",
        ),
        (request(text(["a"]), outputs=[{"name": "label"}] * 2), "output 'label' is asked for twice"),
        (request(text(["a"]), outputs={}), '"outputs" must be a list'),
        (request(text(["a"]), outputs=[{"name": "label", "parameters": {"classification": 2}}]), "does not support"),
        (request(text(["a"], parameters={"shared_memory_region": "r"})), "does not support"),
        (
            request({**NO_DATA, "parameters": {"binary_data_size": 5}}),
            "send the header Inference-Header-Content-Length",
        ),
        (request(text(["a"], parameters={"binary_data_size": -1})), "whole number of bytes"),
    ],
)
def test_a_bad_request_is_refused_in_words_that_triton_clients_show(engine: Engine, body: bytes, detail: str) -> None:
    response = post(engine, body)

    problem = response.json()
    assert (response.status_code, problem["status"], problem["title"]) == (400, 400, "Bad Request"), problem
    assert response.headers["content-type"] == "application/problem+json"
    assert detail in problem["detail"]
    assert problem["error"] == problem["detail"]
    assert len(problem["detail"]) < 300


GOOD = packed(b"good")


@pytest.mark.parametrize(
    ("raw", "size", "detail"),
    [
        (GOOD[:-1], 7, "element 0 of input 'text' ends beyond its data of 7 bytes"),
        (GOOD[:3], 3, "ends beyond its data of 3 bytes"),
        (GOOD + b"x", 9, "1 bytes more than the 1 elements of its shape"),
        (GOOD * 2, 16, "8 bytes more than the 1 elements of its shape"),
        (b"", 0, "0 elements; its shape [1] takes 1"),
        (packed(b"\xff\xfe"), 6, "element 0 of input 'text' is not UTF-8 (byte 0: invalid start byte)"),
        (struct.pack("<I", 2**32 - 1), 4, "ends beyond its data of 4 bytes"),
        (GOOD, 9, "binary_data_size 9; 8 bytes are left"),
        (GOOD + b"?", 8, "1 bytes of binary data belong to no input"),
    ],
)
def test_binary_data_that_does_not_fit_is_refused(engine: Engine, raw: bytes, size: int, detail: str) -> None:
    given = {"name": "text", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": size}}
    head = request(given)

    response = post(engine, head + raw, Inference_Header_Content_Length=str(len(head)))

    assert response.status_code == 400
    assert detail in response.json()["error"]


@pytest.mark.parametrize("given", ["-1", "x", "1e3", "", "9" * 40, "100000", "0"])
def test_a_wrong_length_header_is_refused(engine: Engine, given: str) -> None:
    response = post(engine, request(text(["good"])), Inference_Header_Content_Length=given)

    assert response.status_code == 400


def test_data_given_twice_is_refused(engine: Engine) -> None:
    head = request(text(["good"], parameters={"binary_data_size": 8}))

    response = post(engine, head + GOOD, Inference_Header_Content_Length=str(len(head)))

    assert 'both "data" and binary_data_size' in response.json()["error"]


def test_token_bytes_of_another_size_are_refused(engine: Engine) -> None:
    given = {"name": "input_ids", "datatype": "INT64", "shape": [1, 3], "parameters": {"binary_data_size": 23}}
    head = request(given)

    response = post(engine, head + b"\0" * 23, Inference_Header_Content_Length=str(len(head)))

    assert "23 bytes; its shape [1, 3] of INT64 takes 24" in response.json()["error"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (request(text(["a"] * 7)), 413),
        (request(text(["a"], [100_000])), 413),
        (request(token_input("input_ids", [2], [2**62, 4])), 413),
        (request(text(["a" * 20_000])), 413),
    ],
)
def test_too_much_at_once_is_refused_as_such(engine: Engine, body: bytes, status: int) -> None:
    assert post(engine, body).status_code == status


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/models/tiny/versions/{version}/infer", 200),
        ("/v2/models/other/infer", 404),
        ("/v2/models/tiny/versions/1/infer", 404),
        ("/v2/models/tiny/versions//infer", 404),
        ("/v2/models/tiny/releases/{version}/infer", 404),
        ("/v2/models//infer", 404),
        ("/v2/models/tiny%2Finfer/infer", 404),
    ],
)
def test_the_path_names_the_model_and_may_name_its_version(engine: Engine, path: str, status: int) -> None:
    response = post(engine, request(text(["good"])), path=path.format(version=engine.version))

    assert response.status_code == status
    assert status == 200 or response.json()["error"]


def test_other_methods_and_compressed_bodies_are_refused(engine: Engine) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        get = await client.get(PATH)
        assert (get.status_code, get.headers["allow"]) == (405, "POST")

    with_client(engine, test)
    compressed = post(engine, request(text(["good"])), Content_Encoding="gzip")
    assert (compressed.status_code, compressed.headers["accept-encoding"]) == (415, "identity")


class SlowEngine(Engine):
    """The real engine, except that a batch waits until the test opens the gate."""

    gate = threading.Event()

    def probabilities(self, encoded: Any) -> np.ndarray:
        assert self.gate.wait(timeout=10)
        return super().probabilities(encoded)


def test_a_request_whose_timeout_passes_while_it_waits_is_dropped(tiny_model_folder: Path) -> None:
    engine = SlowEngine.load(tiny_model_folder, provider=Provider.CPU)
    assert isinstance(engine, SlowEngine)

    async def test(client: httpx.AsyncClient) -> None:
        engine.gate.clear()
        running = asyncio.ensure_future(client.post(PATH, content=request(text(["good"]))))
        await asyncio.sleep(0.05)
        late = asyncio.ensure_future(client.post(PATH, content=request(text(["good"]), parameters={"timeout": 1_000})))
        await asyncio.sleep(0.05)
        engine.gate.set()
        assert (await running).status_code == 200
        assert (await late).status_code == 504

    engine.gate.set()  # for the warm-up
    with_client(engine, test)
