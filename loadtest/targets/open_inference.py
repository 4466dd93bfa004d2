"""The Open Inference Protocol v2 (KServe, Triton, MLServer and evalkit): a text as a BYTES tensor in JSON."""

from __future__ import annotations

import json

from loadtest.targets.target import NO_ANSWER, Answer, Response, Row, label_at


class OpenInferenceTarget:
    """``POST /v2/models/NAME/infer`` with one text in input ``text``.

    The label is the first value of output ``label``, or stands at the pointer, if there is one.

    >>> answer = b'{"outputs": [{"name": "label", "datatype": "BYTES", "shape": [1], "data": ["spam"]}]}'
    >>> OpenInferenceTarget("/v2/models/m/infer", None).read(Response(200, [answer], [0.0])).label
    'spam'
    """

    accept = "application/json"
    always_read = False

    def __init__(self, path: str, pointer: str | None) -> None:
        self.path = path
        self._pointer = pointer

    def body(self, text: str, row: Row) -> str:  # noqa: ARG002 - other targets' bodies use the row
        return json.dumps({"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": [text]}]})

    def read(self, response: Response) -> Answer:
        if self._pointer:
            return label_at(response.content, self._pointer)
        try:
            (label,) = next(each["data"] for each in json.loads(response.content)["outputs"] if each["name"] == "label")
        except (ValueError, LookupError, TypeError, StopIteration, RecursionError):
            return NO_ANSWER
        return Answer(True, label) if isinstance(label, str) else NO_ANSWER
