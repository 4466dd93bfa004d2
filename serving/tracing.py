"""A span for every request, where OpenTelemetry is installed and the environment asks for it (OTEL_…)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import Any, TypeAlias

from starlette.types import Scope

from serving.figures import path_label
from serving.settings import SettingsError

_log = logging.getLogger("serving")

_PREFIX = "OTEL_"
_EXPORTERS = "opentelemetry_traces_exporter"
_OTLP = "otlp_proto_http"
_SERVICE = "evalkit-serving"
# Of FastAPI, which would add spans of its own.
_FASTAPI_KEY = "fastapi.telemetry"
_FAILED = 500

Span: TypeAlias = Any


class Tracing:
    """Starts a server span for each request; a `traceparent` of the client is its parent.

    Args:
        provider: an OpenTelemetry tracer provider.
    """

    def __init__(self, provider: Any) -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("serving")
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def span(self, scope: Scope) -> Iterator[Span]:
        """A span around an HTTP request; give it to `finish` once the status is known."""
        from opentelemetry.trace import SpanKind

        scope[_FASTAPI_KEY] = None
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        route = path_label(scope["path"])
        attributes = {
            "http.request.method": scope["method"],
            "http.route": route,
            "url.path": scope["path"],
            "url.scheme": scope.get("scheme") or "http",
        }
        with self._tracer.start_as_current_span(
            f"{scope['method']} {route}",
            context=self._propagator.extract(carrier),
            kind=SpanKind.SERVER,
            attributes=attributes,
        ) as span:
            yield span

    def finish(self, span: Span, status: int, request_id: str) -> None:
        """Note how the request ended."""
        from opentelemetry.trace import StatusCode

        span.set_attribute("http.response.status_code", status)
        span.set_attribute("evalkit.request_id", request_id)
        if status >= _FAILED:
            span.set_status(StatusCode.ERROR)

    def close(self) -> None:
        """Send what is still to be sent."""
        self._provider.shutdown()


def tracing_from(environment: Mapping[str, str]) -> Tracing | None:
    """What the OTEL_ variables ask for, or None where there are none, or where they turn tracing off.

    Raises:
        SettingsError: they ask for an exporter that is not installed.
    """
    if not any(name.startswith(_PREFIX) for name in environment):
        return None
    exporter = environment.get("OTEL_TRACES_EXPORTER", "otlp").strip()
    if exporter == "none" or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    try:
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        _log.warning("OTEL_ variables are set, but opentelemetry-sdk is not installed: no spans are sent")
        return None
    # The resource reads OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, the provider OTEL_TRACES_SAMPLER.
    named = {} if "OTEL_SERVICE_NAME" in environment else {SERVICE_NAME: _SERVICE}
    provider = TracerProvider(resource=Resource.create(named))
    provider.add_span_processor(BatchSpanProcessor(_exporter(exporter, environment)))
    return Tracing(provider)


def _exporter(name: str, environment: Mapping[str, str]) -> Any:
    """An exporter by the name it has in OTEL_TRACES_EXPORTER; OTLP over HTTP unless gRPC is asked for."""
    if name == "otlp" and environment.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf") != "grpc":
        name = _OTLP
    for entry in entry_points(group=_EXPORTERS, name=name):
        return entry.load()()
    raise SettingsError(
        f"OTEL_TRACES_EXPORTER asks for {name}, which is not installed; "
        "install evalkit-gate[otel], or set OTEL_TRACES_EXPORTER=none"
    )
