"""Ray for the time of one piece of work: started on this machine, or joined at an address."""

from __future__ import annotations

import logging
import os
import platform
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from evalkit.errors import SpecError, StageError
from evalkit.record.hardware import packages
from evalkit.spec.executor import RayCluster
from evalkit.workflow.servable import every_core

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent to anybody
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a task that asked for no GPU sees none
    "RAY_ENABLE_AUTO_CONNECT": "0",  # nothing connects by itself, least of all after the end
    "RAY_DATA_LOG_LEVEL": "ERROR",
}
CONNECT_S = 10.0
COMPUTING = ("evalkit-gate", "numpy", "torch", "transformers", "tokenizers", "onnxruntime-gpu", "onnxruntime")
"""What the weights and the answers depend on: the same on every node, for the record states one version of each."""


def refuse_missing_ray(cluster: RayCluster | None) -> None:
    """Raises SpecError where Ray is asked for and is not installed."""
    if cluster is not None and find_spec("ray") is None:
        raise SpecError("executor is ray, but Ray is not installed; run: pip install 'evalkit-gate[ray]'")


@contextmanager
def joined(cluster: RayCluster) -> Iterator[ModuleType]:
    """The module ``ray``, connected; what was started here is ended afterwards.

    A connection that this process has already is used, and left as it is. Raises SpecError where Ray is not installed
    or no node is large enough, and StageError where the cluster cannot be reached.
    """
    refuse_missing_ray(cluster)
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        _refuse_small_nodes(cluster, ray.nodes())
        yield ray
        return
    with redirect_stdout(sys.stderr):  # of a node that dies Ray speaks on standard output, which is not its own
        _connect(ray, cluster)
        try:
            _refuse_small_nodes(cluster, ray.nodes())
            yield ray
        finally:
            ray.shutdown()


def _connect(ray: ModuleType, cluster: RayCluster) -> None:
    here: dict[str, Any] = {"address": "local", "num_cpus": every_core(), "include_dashboard": False}
    asked = here if cluster.address is None else {"address": cluster.address}
    with warnings.catch_warnings(), _own_signals():
        warnings.simplefilter("ignore")  # of settings to come in later versions of Ray
        try:
            _refuse_silence(cluster.address)
            ray.init(**asked, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, RuntimeError, ValueError) as error:
            reason = first_sentence(error)
            where = "could not be started here" if cluster.address is None else f"at {cluster.address} was not reached"
            raise StageError(
                f"Ray {where} ({reason}); see that its head node runs and that this machine is one of its nodes, or "
                "set executor to local"
            ) from error


def first_sentence(error: Exception) -> str:
    """What Ray says first: it goes on with advice and logs."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].split(". ")[0].removesuffix(".")


def _refuse_silence(address: str | None) -> None:
    """Raises OSError where nobody listens at ``host:port``: Ray itself would try for minutes."""
    host, separator, port = (address or "").rpartition(":")
    if separator:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_S).close()


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray takes SIGTERM over when it connects; it is given back, so that a command ends as it always does."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _refuse_small_nodes(cluster: RayCluster, nodes: list[dict[str, Any]]) -> None:
    """Raises SpecError where no node could ever take one piece of work: Ray would wait for ever."""
    have = [node["Resources"] for node in nodes if node["Alive"]]
    for key, resource, asked in (("cpus", "CPU", cluster.cpus), ("gpus", "GPU", cluster.gpus)):
        most = max((each.get(resource, 0.0) for each in have), default=0.0)
        if asked > most:
            raise SpecError(f"executor.ray.{key} is {asked:g}, but the largest node has {most:g}; lower it")


def computing_packages() -> dict[str, str]:
    """Versions, here, of what the weights and the answers depend on."""
    return {name: version for name, version in packages().items() if name in COMPUTING}


def refuse_other_packages(expected: Mapping[str, str]) -> None:
    """Raises StageError, on a node, where a version is not that of the machine which writes the record."""
    found = computing_packages()
    for name, version in expected.items():
        if found.get(name) != version:
            raise StageError(
                f"Ray node {platform.node()} has {name} {found.get(name, '(not installed)')}, this machine {version}; "
                "install the same versions on every node"
            )
