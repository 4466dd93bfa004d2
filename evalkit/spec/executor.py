"""Where trainings and offline answers are computed: in this process, or by Ray on several."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from evalkit.spec.section import Section

LOCAL, RAY = "local", "ray"


class RayCluster(Section):
    """Ray processes that train students and answer texts, on this machine or on a cluster."""

    address: Annotated[str, Field(pattern=r"^(auto|[^\s/]+:[0-9]{1,5})$")] | None = None
    """host:port of a cluster that this machine is a node of, or auto to find it. Without one Ray is started on this
    machine, and ended again before anything is measured."""
    cpus: Annotated[int, Field(ge=1, le=1024)] = 1
    """CPU cores, and compute threads, of each training and of each process that answers texts."""
    gpus: Annotated[float, Field(ge=0, le=64)] = 0.0
    """The same for GPUs; 0.5 lets two share one. With 0 they compute on CPUs."""


class Executor(Section):
    """`local`, `ray`, or ray with its settings, e.g. {ray: {address: auto}}. It says where trainings, teacher labels
    and held-out answers are computed, not what; speed is always measured on this machine alone."""

    ray: RayCluster | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if value == LOCAL:
            return {}
        if value == RAY:
            return {RAY: {}}
        if isinstance(value, str):
            raise ValueError("give local, ray, or ray with its settings, e.g. {ray: {address: auto}}")
        if value == {RAY: None}:
            raise ValueError("ray has no settings; write executor: ray for its defaults")
        return value
