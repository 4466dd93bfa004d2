"""Every setting of the server, with its unit and its default."""

from __future__ import annotations

from dataclasses import dataclass

from serving.errors import ServingError
from serving.provider import Provider

MAX_PORT = 65_535


class SettingsError(ServingError):
    """A setting is out of range, or contradicts another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """How the server listens, computes and refuses.

    Attributes:
        host: address to listen on.
        port: TCP port; 0 takes a free one, which the ready line names.
        threads: compute threads of one batch.
        provider: execution provider; `cpu` and `cuda` are strict.
        max_batch_rows: texts computed together at most.
        queue_limit_rows: texts that may wait for a batch; beyond it requests are refused with 503.
        max_request_rows: texts in one request at most.
        max_body_bytes: size of a request body at most.
        keep_alive_s: idle seconds after which a connection is closed. Long, because clients that pool
            connections fail on one the server closed first.
        drain_s: seconds given to accepted requests after a stop signal.

    Raises:
        SettingsError: a value is out of range, or a full-sized request could never enter the queue.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    threads: int = 1
    provider: Provider = Provider.AUTO
    max_batch_rows: int = 16
    queue_limit_rows: int = 256
    max_request_rows: int = 64
    max_body_bytes: int = 1_048_576
    keep_alive_s: int = 120
    drain_s: int = 30

    def __post_init__(self) -> None:
        if not 0 <= self.port <= MAX_PORT:
            raise SettingsError(f"port is {self.port}; give 0 (any free port) to {MAX_PORT}")
        for name in (
            "threads",
            "max_batch_rows",
            "queue_limit_rows",
            "max_request_rows",
            "max_body_bytes",
            "keep_alive_s",
            "drain_s",
        ):
            value = getattr(self, name)
            if value < 1:
                raise SettingsError(f"{name} is {value}; give at least 1")
        if self.queue_limit_rows < self.max_request_rows:
            raise SettingsError(
                f"queue_limit_rows is {self.queue_limit_rows}, less than max_request_rows "
                f"{self.max_request_rows}: such a request would always be refused; raise the former"
            )
