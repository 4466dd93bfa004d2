"""The Open Inference Protocol v2 over gRPC, in the event loop of the HTTP server and on the same queue."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import grpc
import grpc.aio

from serving.batching import Draining, QueueFull
from serving.classifier import Classifier
from serving.deadline import deadline_in, earlier
from serving.errors import InferenceError, InvalidRequest, ListenError, ServingError, UnknownModel
from serving.grpc_infer import read_request, written_response
from serving.keys import KeyMissing, Keys
from serving.metadata import model_metadata, require_model, server_metadata
from serving.model_rows import answer_rows
from serving.parts import ClientGone, DeadlinePassed
from serving.problems import UNFORESEEN
from serving.protos.messages import REQUESTS, RESPONSES, SERVICE
from serving.readiness import Readiness
from serving.settings import ServerSettings

_log = logging.getLogger("serving")
_MS_PER_S = 1_000

# Whoever probes has no key.
_OPEN_CALLS = frozenset({"ServerLive", "ServerReady"})

_Call: TypeAlias = Callable[[Any, Any], Awaitable[Any]]
_CODES: dict[type[ServingError], grpc.StatusCode] = {
    InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    UnknownModel: grpc.StatusCode.NOT_FOUND,
    QueueFull: grpc.StatusCode.UNAVAILABLE,
    Draining: grpc.StatusCode.UNAVAILABLE,
    DeadlinePassed: grpc.StatusCode.DEADLINE_EXCEEDED,
    ClientGone: grpc.StatusCode.CANCELLED,
    InferenceError: grpc.StatusCode.INTERNAL,
    KeyMissing: grpc.StatusCode.UNAUTHENTICATED,
}


class GrpcServer:
    """A server that listens; see `start_grpc`."""

    def __init__(self, server: grpc.aio.Server, port: int) -> None:
        self._server = server
        self.port = port

    async def stop(self, grace_s: float) -> None:
        """Take no new calls, and cancel those that are not answered within `grace_s` seconds."""
        await self._server.stop(grace_s)


async def start_grpc(classifier: Classifier, settings: ServerSettings, keys: Keys) -> GrpcServer:
    """Listen on `settings.grpc_port` of `settings.host`, with TLS where the settings have a certificate.

    Raises:
        ListenError: the port or the certificate cannot be used.
    """
    # Without the option a second server would share the port in silence and take half of the calls.
    options = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", settings.max_body_bytes)]
    server = grpc.aio.server(options=options)
    server.add_generic_rpc_handlers((_handlers(_calls(classifier, settings), keys),))
    try:
        port = _bind(server, settings)
    except (RuntimeError, ValueError) as error:
        raise ListenError(
            f"gRPC port {settings.grpc_port} on {settings.host} cannot be used; "
            "stop what listens there or give --grpc-port"
        ) from error
    await server.start()
    return GrpcServer(server, port)


def _bind(server: grpc.aio.Server, settings: ServerSettings) -> int:
    if settings.tls_cert is None or settings.tls_key is None:
        return int(server.add_insecure_port(_address(settings)))
    try:
        pair = (settings.tls_key.read_bytes(), settings.tls_cert.read_bytes())
    except OSError as error:
        raise ListenError(f"the TLS files cannot be read ({error}); give PEM files") from error
    return int(server.add_secure_port(_address(settings), grpc.ssl_server_credentials([pair])))


def _address(settings: ServerSettings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{host}:{settings.grpc_port}"


def _handlers(calls: dict[str, _Call], keys: Keys) -> grpc.GenericRpcHandler:
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            name: grpc.unary_unary_rpc_method_handler(
                _with_status(call if name in _OPEN_CALLS else _with_key(call, keys)),
                request_deserializer=REQUESTS[name].FromString,
                response_serializer=RESPONSES[name].SerializeToString,
            )
            for name, call in calls.items()
        },
    )


def _with_key(call: _Call, keys: Keys) -> _Call:
    """Only whoever has a key, where the server wants one."""
    if not keys.api:
        return call

    async def admitted(request: Any, context: Any) -> Any:
        keys.require_api([(name.encode(), _raw(value)) for name, value in context.invocation_metadata() or ()])
        return await call(request, context)

    return admitted


def _raw(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def _with_status(call: _Call) -> _Call:
    """Every error is a status code and a sentence."""

    async def answered(request: Any, context: Any) -> Any:
        try:
            return await call(request, context)
        except ServingError as error:
            code, details = _code(error), str(error)
        except Exception:  # noqa: BLE001 - every call gets an answer
            _log.exception("a gRPC call failed")
            code, details = grpc.StatusCode.INTERNAL, UNFORESEEN.detail
        return await context.abort(code, details)

    return answered


def _code(error: ServingError) -> grpc.StatusCode:
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


def _calls(classifier: Classifier, settings: ServerSettings) -> dict[str, _Call]:
    async def server_live(_: Any, __: Any) -> Any:
        return RESPONSES["ServerLive"](live=True)

    async def server_ready(_: Any, __: Any) -> Any:
        return RESPONSES["ServerReady"](ready=classifier.readiness is Readiness.READY)

    async def model_ready(request: Any, _: Any) -> Any:
        require_model(classifier.engine, request.name, request.version or None)
        return RESPONSES["ModelReady"](ready=classifier.readiness is Readiness.READY)

    async def server_metadata_(_: Any, __: Any) -> Any:
        return RESPONSES["ServerMetadata"](**server_metadata())

    async def model_metadata_(request: Any, _: Any) -> Any:
        require_model(classifier.engine, request.name, request.version or None)
        described = model_metadata(classifier.engine)
        del described["parameters"]  # the protocol's message has no place for them
        return RESPONSES["ModelMetadata"](**described)

    async def model_infer(request: Any, context: Any) -> Any:
        engine = classifier.engine
        require_model(engine, request.model_name, request.model_version or None)
        call = read_request(request, engine, max_rows=settings.max_request_rows)
        answered = await answer_rows(classifier, call.rows, deadline=_deadline(context, call.timeout_s, settings))
        return written_response(call, answered)

    return {
        "ServerLive": server_live,
        "ServerReady": server_ready,
        "ModelReady": model_ready,
        "ServerMetadata": server_metadata_,
        "ModelMetadata": model_metadata_,
        "ModelInfer": model_infer,
    }


def _deadline(context: Any, timeout_s: float | None, settings: ServerSettings) -> float | None:
    """The earlier one of the call's own deadline and the request's parameter, or else that of the settings."""
    stated = earlier(deadline_in(context.time_remaining()), deadline_in(timeout_s))
    usual = deadline_in(settings.max_wait_ms / _MS_PER_S if settings.max_wait_ms else None)
    return usual if stated is None else stated
