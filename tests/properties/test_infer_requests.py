"""Requests of the Open Inference Protocol, however mangled, are read rightly or refused in words: never a crash."""

from __future__ import annotations

import json
import struct
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tritonclient.http import InferResult

from serving.classifier import Answered
from serving.engine import Engine
from serving.errors import InvalidRequest
from serving.grpc_infer import read_request, written_response
from serving.infer_json import InferCall, read_call, written_answer
from serving.model_rows import Texts, Tokens
from serving.protos.messages import REQUESTS
from serving.provider import Provider
from tests.model_folders import MAX_LENGTH, VOCABULARY, write_tiny_model_folder

MAX_ROWS = 8
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TEXTS = st.lists(TEXT, min_size=1, max_size=MAX_ROWS)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def engine() -> Engine:
    with tempfile.TemporaryDirectory() as folder:
        return Engine.load(write_tiny_model_folder(Path(folder) / "tiny"), provider=Provider.CPU)


def packed(texts: list[bytes]) -> bytes:
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def body_of(inputs: list[dict[str, Any]], *raw: bytes) -> tuple[bytes, int]:
    head = json.dumps({"inputs": inputs}, ensure_ascii=False).encode()
    return head + b"".join(raw), len(head)


def binary_texts(texts: list[str]) -> tuple[bytes, int]:
    raw = packed([text.encode() for text in texts])
    stated = {"name": "text", "datatype": "BYTES", "shape": [len(texts)]}
    return body_of([{**stated, "parameters": {"binary_data_size": len(raw)}}], raw)


def binary_ids(ids: np.ndarray, mask: np.ndarray) -> tuple[bytes, int]:
    tensors = {"input_ids": ids, "attention_mask": mask}
    stated = [
        {"name": name, "datatype": "INT64", "shape": data.shape, "parameters": {"binary_data_size": data.nbytes}}
        for name, data in tensors.items()
    ]
    return body_of(stated, *(data.astype("<i8").tobytes() for data in tensors.values()))


def read(body: bytes, json_bytes: int | None, engine: Engine) -> InferCall | None:
    """The call, or None where it was refused; anything else that is raised would be a 500."""
    try:
        call = read_call(body, json_bytes, engine, max_rows=MAX_ROWS)
    except InvalidRequest as refusal:
        check_words(refusal)
        return None
    check_rows(call.rows)
    return call


def check_words(refusal: InvalidRequest) -> None:
    assert 0 < len(str(refusal)) < 400


def check_rows(rows: Texts | Tokens) -> None:
    """What the model may be asked without harm."""
    assert 1 <= len(rows) <= MAX_ROWS
    if isinstance(rows, Texts):
        assert all(isinstance(text, str) and text.encode() is not None for text in rows.texts)
        return
    for row in rows.encoded:
        assert 1 <= len(row.ids) == len(row.type_ids) <= MAX_LENGTH
        assert all(type(token) is int and 0 <= token < len(VOCABULARY) for token in row.ids)


@given(texts=TEXTS, column=st.booleans())
def test_texts_are_the_same_in_every_form(engine: Engine, texts: list[str], column: bool) -> None:
    shape = [len(texts), 1] if column else [len(texts)]
    data = [[text] for text in texts] if column else texts
    plain, _ = body_of([{"name": "text", "datatype": "BYTES", "shape": shape, "data": data}])
    typed, raw = (REQUESTS["ModelInfer"](), REQUESTS["ModelInfer"]())
    for request in (typed, raw):
        request.inputs.add(name="text", datatype="BYTES", shape=shape)
    typed.inputs[0].contents.bytes_contents.extend(text.encode() for text in texts)
    raw.raw_input_contents.append(packed([text.encode() for text in texts]))
    calls = [
        read_call(plain, None, engine, max_rows=MAX_ROWS),
        read_call(*binary_texts(texts), engine, max_rows=MAX_ROWS),
        read_request(typed, engine, max_rows=MAX_ROWS),
        read_request(raw, engine, max_rows=MAX_ROWS),
    ]

    for call in calls:
        assert isinstance(call.rows, Texts)
        assert list(call.rows.texts) == texts


TOKEN_ROWS = st.lists(
    st.lists(st.integers(0, len(VOCABULARY) - 1), min_size=1, max_size=MAX_LENGTH), min_size=1, max_size=MAX_ROWS
)


@given(rows=TOKEN_ROWS)
def test_token_rows_lose_their_padding_and_nothing_else(engine: Engine, rows: list[list[int]]) -> None:
    ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    mask = np.zeros_like(ids)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
        mask[index, : len(row)] = 1

    call = read_call(*binary_ids(ids, mask), engine, max_rows=MAX_ROWS)

    assert isinstance(call.rows, Tokens)
    assert [row.ids for row in call.rows.encoded] == rows


@given(body=st.binary(max_size=200), json_bytes=st.none() | st.integers(0, 250))
@example(body=b"", json_bytes=0)
def test_any_bytes_are_read_or_refused(engine: Engine, body: bytes, json_bytes: int | None) -> None:
    read(body, json_bytes, engine)


INPUT_KEYS = ["name", "datatype", "shape", "data", "parameters", "more"]


@given(stated=JSON | st.dictionaries(st.sampled_from(["id", "inputs", "outputs", "parameters", "more"]), JSON))
def test_any_json_is_read_or_refused(engine: Engine, stated: Any) -> None:
    read(json.dumps(stated).encode(), None, engine)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    changes=st.dictionaries(st.sampled_from(INPUT_KEYS), JSON, max_size=2),
    dropped=st.sets(st.sampled_from(INPUT_KEYS), max_size=1),
    tokens=st.booleans(),
    twice=st.booleans(),
)
def test_a_valid_input_with_something_else_in_it_is_read_or_refused(
    engine: Engine, changes: dict[str, Any], dropped: set[str], tokens: bool, twice: bool
) -> None:
    texts = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["good"]}
    ids = {"name": "input_ids", "datatype": "INT64", "shape": [1, 3], "data": [2, 4, 3]}
    changed = {**(ids if tokens else texts), **changes}
    stated = {key: value for key, value in changed.items() if key not in dropped}
    read(json.dumps({"inputs": [stated] * (1 + twice)}).encode(), None, engine)


def mangled(draw: st.DrawFn, body: bytes) -> bytes:
    """The body with up to three bytes or stretches replaced, taken out or put in."""
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(body)))
        stop = draw(st.integers(start, min(start + 8, len(body))))
        body = body[:start] + draw(st.binary(max_size=8)) + body[stop:]
    return body


@st.composite
def mangled_binary(draw: st.DrawFn) -> tuple[bytes, int]:
    if draw(st.booleans()):
        body, json_bytes = binary_texts(draw(TEXTS))
    else:
        shape = (draw(st.integers(1, 3)), draw(st.integers(1, 5)))
        body, json_bytes = binary_ids(np.full(shape, 5), np.ones(shape, dtype=np.int64))
    shift = draw(st.sampled_from([0, 0, 0, -1, 1, 7]))
    return mangled(draw, body), max(0, json_bytes + shift)


@settings(max_examples=500)
@given(request=mangled_binary())
def test_mangled_binary_requests_are_read_or_refused(engine: Engine, request: tuple[bytes, int]) -> None:
    read(*request, engine)


@st.composite
def mangled_message(draw: st.DrawFn) -> bytes:
    request = REQUESTS["ModelInfer"](model_name="tiny", id=draw(TEXT))
    texts = draw(TEXTS)
    tensor = request.inputs.add(name="text", datatype="BYTES", shape=draw(st.lists(st.integers(-2, 9), max_size=3)))
    if draw(st.booleans()):
        tensor.contents.bytes_contents.extend(text.encode() for text in texts)
    else:
        request.raw_input_contents.append(packed([text.encode() for text in texts]))
    return mangled(draw, request.SerializeToString())


@settings(max_examples=500)
@given(message=mangled_message())
def test_mangled_grpc_messages_are_read_or_refused(engine: Engine, message: bytes) -> None:
    try:
        request = REQUESTS["ModelInfer"].FromString(message)
    except DecodeError:
        return  # gRPC refuses it itself
    try:
        call = read_request(request, engine, max_rows=MAX_ROWS)
    except InvalidRequest as refusal:
        check_words(refusal)
    else:
        check_rows(call.rows)


@given(
    rows=st.integers(1, MAX_ROWS),
    binary=st.booleans(),
    wanted=st.permutations(["probabilities", "label"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_client_reads_what_was_written(
    engine: Engine, rows: int, binary: bool, wanted: list[str], seed: int
) -> None:
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(3), size=rows).astype(np.float32)
    answered = Answered(engine, probabilities, truncated=0)
    texts = Texts(["good"] * rows)
    call = InferCall(texts, dict.fromkeys(wanted, binary), "r", None)

    body, json_bytes = written_answer(call, answered)

    result = InferResult.from_response_body(body, header_length=json_bytes)
    assert (json_bytes is not None) == binary
    np.testing.assert_array_equal(result.as_numpy("probabilities"), probabilities)
    labels = [engine.labels[best] for best in probabilities.argmax(axis=1)]
    found = [label.decode() if isinstance(label, bytes) else label for label in result.as_numpy("label")]
    assert found == labels
    message = REQUESTS["ModelInfer"](model_name="tiny", raw_input_contents=[packed([b"good"] * rows)])
    message.inputs.add(name="text", datatype="BYTES", shape=[rows])
    for name in wanted:
        message.outputs.add(name=name)
    response = written_response(read_request(message, engine, max_rows=MAX_ROWS), answered)
    raw = dict(zip((output.name for output in response.outputs), response.raw_output_contents, strict=True))
    assert list(raw) == wanted
    np.testing.assert_array_equal(np.frombuffer(raw["probabilities"], dtype="<f4").reshape(rows, 3), probabilities)
    assert raw["label"] == packed([label.encode() for label in labels])
