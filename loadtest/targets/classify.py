"""evalkit's own server: ``POST /v1/classify``."""

from __future__ import annotations

import json

from loadtest.targets.target import NO_ANSWER, Answer, Response, Row


class ClassifyTarget:
    """One text a request; the label is that of the only prediction.

    >>> ClassifyTarget("/v1/classify").body("a fine day", {})
    '{"texts": ["a fine day"]}'
    >>> ClassifyTarget("/v1/classify").read(Response(200, [b'{"predictions": [{"label": "billing"}]}'], [0.0])).label
    'billing'
    """

    accept = "application/json"
    always_read = False

    def __init__(self, path: str) -> None:
        self.path = path

    def body(self, text: str, row: Row) -> str:  # noqa: ARG002 - other targets' bodies use the row
        return json.dumps({"texts": [text]})

    def read(self, response: Response) -> Answer:
        try:
            (prediction,) = json.loads(response.content.decode())["predictions"]
            label = prediction["label"]
        except (ValueError, LookupError, TypeError, RecursionError):
            return NO_ANSWER
        return Answer(True, label) if isinstance(label, str) else NO_ANSWER
