"""`POST /v2/models/{name}/infer`: the inference call of the Open Inference Protocol v2, with binary tensor data."""

from __future__ import annotations

from fastapi.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from serving.classifier import Classifier
from serving.deadline import deadline_in, deadline_of, earlier
from serving.engine import Engine
from serving.entrance import ROWS
from serving.errors import InvalidRequest
from serving.infer_json import read_call, written_answer
from serving.metadata import require_model
from serving.model_rows import answer_rows
from serving.plain_http import JSON, Handler, client_gone, header, read_body, respond
from serving.settings import ServerSettings

PREFIX, SUFFIX = "/v2/models/", "/infer"
BINARY = b"application/octet-stream"
JSON_BYTES_HEADER = "Inference-Header-Content-Length"
_JSON_BYTES = JSON_BYTES_HEADER.lower().encode()
_MAX_DIGITS = 12


def is_infer(path: str) -> bool:
    """Whether a path is an inference call, of whatever model."""
    return path.endswith(SUFFIX) and path.startswith(PREFIX) and len(path) > len(PREFIX) + len(SUFFIX)


def infer_handler(classifier: Classifier, settings: ServerSettings) -> Handler:
    """The call as plain ASGI; what it raises is an answer too (see `serving.problems`)."""

    async def infer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            raise HTTPException(405, "an inference call takes POST", {"Allow": "POST"})
        _refuse_encoded(scope)
        deadline = deadline_of(scope, max_wait_ms=settings.max_wait_ms)
        body = await read_body(receive, limit_bytes=settings.max_body_bytes)
        engine = classifier.engine
        _require_named_model(scope["path"], engine)
        call = read_call(body, _json_bytes(scope), engine, max_rows=settings.max_request_rows)
        scope["state"][ROWS] = len(call.rows)
        deadline = earlier(deadline, deadline_in(call.timeout_s))
        answered = await answer_rows(classifier, call.rows, deadline=deadline, gone=client_gone(receive))
        answer, json_bytes = written_answer(call, answered)
        if json_bytes is None:
            await respond(send, 200, JSON, answer)
        else:
            await respond(send, 200, BINARY, answer, [(_JSON_BYTES, str(json_bytes).encode())])

    return infer


def _require_named_model(path: str, engine: Engine) -> None:
    """Raises UnknownModel where the path is not that of this model, or of another version of it."""
    name, _, rest = path[len(PREFIX) : -len(SUFFIX)].partition("/")
    kind, _, version = rest.partition("/")
    if rest and kind != "versions":
        raise HTTPException(404, "Not Found")
    require_model(engine, name, version if rest else None)


def _refuse_encoded(scope: Scope) -> None:
    encoding = header(scope, b"content-encoding")
    if encoding is not None and encoding.lower() != b"identity":
        raise HTTPException(415, "the body is compressed; send it as it is", {"Accept-Encoding": "identity"})


def _json_bytes(scope: Scope) -> int | None:
    given = header(scope, _JSON_BYTES)
    if given is None:
        return None
    if not given.isdigit() or len(given) > _MAX_DIGITS:
        raise InvalidRequest(f"{JSON_BYTES_HEADER} must be a number of bytes")
    return int(given)
