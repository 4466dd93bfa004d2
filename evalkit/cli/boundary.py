"""Where errors become one line and an exit code."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

from evalkit.disk import refusal, unwritable
from evalkit.errors import EvalkitError, SpecError

USAGE, GATE_FAILED, INTERRUPTED = 2, 4, 130


@contextmanager
def boundary() -> Iterator[None]:
    """Runs a command's body: 2 for what the user can mend, 4 where the gate itself broke, 130 when stopped.

    SIGTERM stops a command as Ctrl-C does, so that its children end with it.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        _refuse_several()
        yield
    except typer.Exit:
        raise
    except EvalkitError as error:
        fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        fail("interrupted; what is finished is kept, the same command goes on from there", INTERRUPTED)
    except Exception as error:
        if _is_model_folder_problem(error):
            fail(str(error), USAGE)
        said = refusal(error)
        if said is not None:
            fail(str(unwritable(getattr(error, "filename", None) or "a file", said)), GATE_FAILED)
        traceback.print_exc()
        fail(f"the gate itself failed: {type(error).__name__}: {error}", GATE_FAILED)


def _refuse_several() -> None:
    """Raises SpecError in a process that a launcher (accelerate launch, torchrun) started among others: they would all
    want the one run folder."""
    if "LOCAL_RANK" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1":
        raise SpecError(
            f"evalkit was started {os.environ['WORLD_SIZE']} times at once by a launcher (WORLD_SIZE); start it once: "
            "student.distill.processes says how many processes share a training"
        )


def fail(message: str, code: int) -> None:
    """Prints one line on standard error and ends the command."""
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    raise typer.Exit(code)


def _is_model_folder_problem(error: Exception) -> bool:
    """serving knows nothing of evalkit, its errors included; they are looked for only once it is loaded."""
    errors = sys.modules.get("serving.errors")
    return errors is not None and isinstance(error, errors.ServingError)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
