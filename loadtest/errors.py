"""What this room refuses or fails at."""

from __future__ import annotations

from evalkit.errors import EvalkitError, StageError


class LoadTestError(StageError):
    """The load generator itself broke, or left no samples behind."""


class TargetRefusedError(EvalkitError):
    """Load would have been sent to somebody else's machine."""

    exit_code = 2


class InputError(EvalkitError):
    """A trace, a table or a template is not what a run can be made of."""

    exit_code = 2
