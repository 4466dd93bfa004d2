"""A training that several processes on this machine share: one for each GPU, or all on the CPU.

They are started, watched and ended here, so that one command with one run folder trains on all of them.
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException, start_processes

from evalkit import errors
from evalkit.errors import EvalkitError, SpecError, StageError
from evalkit.students.from_spec import distil_into

METHOD = "forkserver"
LOOK_S = 0.2
SAFE_PATH = "PYTHONSAFEPATH"
STOPS = (signal.SIGINT, signal.SIGTERM)
TRAINING, REFUSED = "training.json", "refused-{}.json"
GO_ON = "start again: it goes on from the last checkpoint"


def distil_in_processes(
    processes: int, folder: Path, *, on_progress: Callable[[float, str], None], **how: Any
) -> dict[str, Any]:
    """``distil_into`` with the arguments ``how``, by ``processes`` processes of which the first writes ``folder``.

    Each takes its share of every batch; all end with the same weights. They are forked from a server that has imported
    what they need and nothing else, and end with this process however it ends.

    Raises what ``distil_into`` raises, SpecError where there are fewer GPUs than processes, and StageError where one of
    them ends before the training does.
    """
    refuse_too_many(processes, torch.cuda.device_count())
    threads = max(1, torch.get_num_threads() // processes)
    context = get_context(METHOD)
    context.set_forkserver_preload([distil_into.__module__])
    receiver, sender = context.Pipe(duplex=False)
    with tempfile.TemporaryDirectory(prefix="evalkit-training-") as name:
        meeting = Path(name)
        with _stops_wait() as stops, _no_code_from_here():
            started = start_processes(
                _take_part,
                args=(processes, threads, meeting, sender, folder, how),
                nprocs=processes,
                join=False,
                start_method=METHOD,
            )
        sender.close()
        try:
            for stop in stops[:1]:
                signal.raise_signal(stop)
            _follow(started, receiver, on_progress, meeting)
        finally:
            _end(started)
            receiver.close()
        training: dict[str, Any] = json.loads((meeting / TRAINING).read_text(encoding="utf-8"))
        return training


@contextmanager
def _no_code_from_here() -> Iterator[None]:
    """The server is a new Python, which would import from the folder that it is started in before anything else."""
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[SAFE_PATH]
        else:
            os.environ[SAFE_PATH] = before


@contextmanager
def _stops_wait() -> Iterator[list[int]]:
    """Gathers the signals that would stop this process while it starts others: one that is cut off in its start prints
    what broke in it. The others start with these signals blocked, and take them in ``_take_part``."""
    if threading.current_thread() is not threading.main_thread():
        yield []
        return
    resource_tracker.ensure_running()  # its start would unblock them
    came: list[int] = []
    before = {number: signal.signal(number, lambda stop, _: came.append(stop)) for number in STOPS}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield came
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in before.items():
            signal.signal(number, handler)


def refuse_too_many(processes: int, gpus: int) -> None:
    """Raises SpecError where ``processes`` cannot have a GPU each. Without any GPU they share the CPU.

    >>> refuse_too_many(4, gpus=0)
    """
    if 0 < gpus < processes:
        raise SpecError(
            f"student.distill.processes is {processes}, and this machine has {gpus} GPU{'s' if gpus > 1 else ''}; give "
            f"{gpus} or fewer"
        )


def _take_part(
    number: int, processes: int, threads: int, meeting: Path, sender: Connection, folder: Path, how: dict[str, Any]
) -> None:
    """The process ``number``, counted from 0, from its first line to its last."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    _meet(number, processes, threads, meeting)
    try:
        training = distil_into(folder, on_progress=lambda share, note: sender.send((share, note)), **how)
    except EvalkitError as error:
        said = {"kind": type(error).__name__, "message": str(error)}
        (meeting / REFUSED.format(number)).write_text(json.dumps(said), encoding="utf-8")
        raise SystemExit(1) from error
    if number == 0:
        (meeting / TRAINING).write_text(json.dumps(training), encoding="utf-8")
    torch.distributed.destroy_process_group()


def _meet(number: int, processes: int, threads: int, meeting: Path) -> None:
    """Joins the others over a file, so that no port is taken; accelerate finds the group that is there."""
    here = {"RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
    os.environ.update({name: str(value) for name, value in here.items()}, OMP_NUM_THREADS=str(threads))
    torch.set_num_threads(threads)
    if torch.cuda.is_available():
        torch.cuda.set_device(number)
    torch.distributed.init_process_group(
        "nccl" if torch.cuda.is_available() else "gloo",
        init_method=f"file://{meeting / 'rendezvous'}",
        rank=number,
        world_size=processes,
    )


def _follow(started: Any, receiver: Connection, on_progress: Callable[[float, str], None], meeting: Path) -> None:
    """Tells the first process's progress until all have ended."""
    try:
        while not started.join(timeout=LOOK_S):
            _tell(receiver, on_progress)
    except (ProcessRaisedException, ProcessExitedException) as error:
        cause = _refused(meeting) or _killed([process.exitcode for process in started.processes], error)
        if cause is None:
            raise
        raise cause from error


def _tell(receiver: Connection, on_progress: Callable[[float, str], None]) -> None:
    try:
        while receiver.poll():
            on_progress(*receiver.recv())
    except EOFError:
        return


def _refused(meeting: Path) -> EvalkitError | None:
    """What the first of the processes that refused anything said."""
    for said in sorted(meeting.glob(REFUSED.format("*"))):
        told = json.loads(said.read_text(encoding="utf-8"))
        refusal: EvalkitError = getattr(errors, told["kind"], StageError)(told["message"])
        return refusal
    return None


def _killed(codes: Sequence[int | None], first: Any) -> StageError | None:
    """Which process was killed, by their exit codes and the error of the ``first`` that ended; None where none was.
    The others break for want of it, or are ended by SIGTERM from here."""
    from_outside = [number for number, code in enumerate(codes) if code and code < 0 and code != -signal.SIGTERM]
    if not from_outside and getattr(first, "signal_name", None) is not None:
        from_outside = [first.error_index]
    if not from_outside:
        return None
    number = from_outside[0]
    name = signal.Signals(-(codes[number] or 0)).name
    return StageError(f"process {number + 1} of {len(codes)} of the training was ended by {name}; {GO_ON}")


def _end(started: Any) -> None:
    for process in started.processes:
        if process.is_alive():
            process.kill()
        process.join()
