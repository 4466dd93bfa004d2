import json
from typing import Any

import pytest

from loadtest.errors import InputError
from loadtest.targets.chat import ChatTarget
from loadtest.targets.choice import target_of
from loadtest.targets.classify import ClassifyTarget
from loadtest.targets.open_inference import OpenInferenceTarget
from loadtest.targets.plan import TargetKind, TargetPlan
from loadtest.targets.target import NO_ANSWER, Answer, Response, Target
from loadtest.targets.template import TemplateTarget

CLASSIFY = ClassifyTarget("/v1/classify")
INFER = OpenInferenceTarget("/v2/models/m/infer", None)
CHAT = ChatTarget("/v1/chat/completions", "m", 16)
POINTED = TemplateTarget("/", "x", "/a/0")
GARBAGE = [b"", b"not json", b"[]", b"{}", b"null", b"\xff\xfe", b"[" * 10_000]


def whole(content: bytes) -> Response:
    return Response(200, [content], [1.0])


@pytest.mark.parametrize("target", [CLASSIFY, INFER, CHAT, POINTED], ids=lambda target: type(target).__name__)
@pytest.mark.parametrize("content", GARBAGE)
def test_garbage_is_no_answer_of_any_protocol(target: Target, content: bytes) -> None:
    assert target.read(whole(content)) == NO_ANSWER
    assert target.read(Response(200, [], [])) == NO_ANSWER


@pytest.mark.parametrize(
    "content",
    [
        b'{"predictions": []}',
        b'{"predictions": [{}]}',
        b'{"predictions": [{"label": 3}]}',
        b'{"predictions": [{"label": "a"}, {"label": "b"}]}',
    ],
)
def test_classify_needs_one_prediction_with_a_label(content: bytes) -> None:
    assert CLASSIFY.read(whole(content)) == NO_ANSWER


@pytest.mark.parametrize(
    ("outputs", "label"),
    [
        ([{"name": "probabilities", "data": [0.1]}, {"name": "label", "data": ["spam"]}], "spam"),
        ([{"name": "label", "data": ["a", "b"]}], None),
        ([{"name": "label", "data": [3]}], None),
        ([{"name": "score", "data": [0.5]}], None),
    ],
)
def test_open_inference_reads_the_one_label(outputs: list[Any], label: str | None) -> None:
    answer = INFER.read(whole(json.dumps({"outputs": outputs}).encode()))
    assert (answer.ok, answer.label) == (label is not None, label)


def test_open_inference_sends_a_text_as_bytes_and_may_be_pointed_elsewhere() -> None:
    assert json.loads(INFER.body("grüß", {})) == {
        "inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["grüß"]}]
    }
    target = target_of(TargetPlan(kind=TargetKind.OPEN_INFERENCE, model="a b", label_pointer="/outputs/0/data/0"))
    assert target.path == "/v2/models/a%20b/infer"
    assert target.read(whole(b'{"outputs": [{"name": "x", "data": ["y"]}]}')).label == "y"


def event(content: str | None = None, finish: str | None = None, **fields: Any) -> bytes:
    delta = {} if content is None else {"content": content}
    return b"data: " + json.dumps({"choices": [{"delta": delta, "finish_reason": finish}], **fields}).encode() + b"\n\n"


def test_chat_times_the_first_text_that_is_not_empty() -> None:
    pieces = [event("") + event("po")[:9], event("po")[9:] + event("si"), event("tive\n"), b"data: [DONE]\n\n"]
    assert CHAT.read(Response(200, pieces, [1.0, 2.0, 3.0, 4.0])) == Answer(True, "positive", 2.0, 3)


def test_chat_takes_the_servers_own_count_of_tokens() -> None:
    usage = b'data: {"choices": [], "usage": {"completion_tokens": 7}}\r\n\r\n'
    answer = CHAT.read(Response(200, [event("yes", "stop"), b": ping\n\n", usage], [1.0, 1.5, 2.0]))
    assert answer == Answer(True, "yes", 1.0, 7)


@pytest.mark.parametrize(
    "pieces",
    [
        [event("half an ans")],
        [event("half"), b'data: {"error": {"message": "out of memory"}}\n\n', b"data: [DONE]\n\n"],
        [event(finish="stop"), b"data: [DONE]\n\n"],
        [b"data: {broken\n\n"],
        [b"data: 3\n\n"],
    ],
)
def test_a_stream_that_breaks_off_or_says_nothing_is_no_answer(pieces: list[bytes]) -> None:
    assert CHAT.read(Response(200, pieces, [1.0] * len(pieces))) == NO_ANSWER


def test_chat_asks_for_a_stream_with_usage() -> None:
    body = json.loads(CHAT.body("hello", {}))
    assert body["messages"] == [{"role": "user", "content": "hello"}]
    assert (body["model"], body["stream"], body["max_tokens"]) == ("m", True, 16)
    assert body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("content", "label"),
    [
        (b'{"a": ["x"]}', "x"),
        (b'{"a": [2]}', "2"),
        (b'{"a": [true]}', "true"),
        (b'{"a": [null]}', None),
        (b'{"a": {}}', None),
    ],
)
def test_a_pointed_label_is_text(content: bytes, label: str | None) -> None:
    assert POINTED.read(whole(content)).label == label


def test_without_a_pointer_any_answer_will_do_and_has_no_label() -> None:
    assert TemplateTarget("/", "x", None).read(whole(b"<html>")) == Answer(True, None)


def test_a_template_that_is_broken_or_names_what_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="no Jinja template"):
        TemplateTarget("/", "{{ text", None)
    with pytest.raises(InputError, match=r"'lang' is undefined; the row has channel"):
        TemplateTarget("/", "{{ lang }}", None).body("a", {"channel": "x"})


def test_a_template_cannot_reach_out_of_its_sandbox() -> None:
    with pytest.raises(InputError, match="cannot be filled in"):
        TemplateTarget("/", "{{ text.__class__.__mro__ }}", None).body("a", {})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": TargetKind.CHAT}, "model is None"),
        ({"kind": TargetKind.OPEN_INFERENCE, "model": ""}, "model is ''"),
        ({"kind": TargetKind.TEMPLATE}, "template is missing"),
        ({"template": "x"}, "template is given"),
        ({"path": "predict"}, "path is 'predict'"),
        ({"path": "/a b"}, "path is"),
        ({"path": "/a\r\nX: y"}, "path is"),
        ({"label_pointer": "label"}, "label_pointer is 'label'"),
        ({"headers": (("A b", "c"),)}, "header 'A b'"),
        ({"headers": (("A", "b\r\nC: d"),)}, "header 'A'"),
        ({"max_tokens": 0}, "max_tokens is 0"),
    ],
)
def test_a_target_plan_refuses_by_name(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TargetPlan(**fields)
