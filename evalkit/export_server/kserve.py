"""A KServe InferenceService that runs this project's own server."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.export_server.errors import ExportError
from evalkit.export_server.permission import verdict_line
from evalkit.export_server.placement import Device, Placement
from evalkit.export_server.rendering import rendered
from evalkit.export_server.serving_command import DRAIN_S, PORT, serving_command
from evalkit.export_server.source import Source
from evalkit.export_server.target import copy_model
from serving.manifest import MODEL_FILE

IN_IMAGE, MOUNTED = "/model", "/mnt/models"
LONGEST_NAME = 40
MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class KServeOptions:
    """``image`` runs `python -m serving`. With ``storage_uri`` KServe fetches the model, else the image holds it."""

    image: str
    storage_uri: str | None = None
    placement: Placement = field(default_factory=Placement)

    def __post_init__(self) -> None:
        if not self.image.strip() or re.search(r"\s", self.image):
            raise ExportError(f"--image is {self.image!r}; give the image that runs the server, e.g. registry/name:tag")
        if self.storage_uri is not None and "://" not in self.storage_uri:
            raise ExportError(
                f"--storage-uri is {self.storage_uri!r}; give a URI that KServe reads, e.g. s3://bucket/model"
            )


def write_kserve(source: Source, folder: Path, options: KServeOptions) -> None:
    """Writes inference_service.yaml and README.md; with a storage URI also ``model/``, which belongs there."""
    import yaml

    stated = inference_service(source, options)
    heading = f"# {source.manifest.name}, version {source.version}: {verdict_line(source)}.\n"
    text = heading + yaml.safe_dump(stated, sort_keys=False, allow_unicode=True, width=120)
    (folder / "inference_service.yaml").write_text(text, encoding="utf-8")
    if options.storage_uri is not None:
        copy_model(source, folder / "model")
    readme = rendered(
        "kserve/README.md.j2",
        name=source.manifest.name,
        service=stated["metadata"]["name"],
        version=source.version,
        verdict=verdict_line(source),
        options=options,
        memory=memory_limit(source),
    )
    (folder / "README.md").write_text(readme, encoding="utf-8")


def inference_service(source: Source, options: KServeOptions) -> dict[str, Any]:
    """The manifest (serving.kserve.io/v1beta1).

    A custom container has no protocolVersion and no storageUri of its own: KServe reads both from its environment,
    PROTOCOL and STORAGE_URI.
    """
    where = IN_IMAGE if options.storage_uri is None else MOUNTED
    environment = [{"name": "PROTOCOL", "value": "v2"}]
    if options.storage_uri is not None:
        environment.append({"name": "STORAGE_URI", "value": options.storage_uri})
    command = serving_command(where, options.placement)
    container = {
        "name": "kserve-container",
        "image": options.image,
        "command": command[:3],
        "args": command[3:],
        "env": environment,
        "ports": [{"containerPort": PORT, "protocol": "TCP"}],
        "readinessProbe": _probe("/v2/health/ready", every_s=5, failures=3),
        "livenessProbe": _probe("/v2/health/live", every_s=10, failures=6),
        "resources": _resources(source, options.placement),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
        },
    }
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": service_name(source.manifest.name), "annotations": _annotations(source)},
        "spec": {
            "predictor": {
                "minReplicas": 1,
                "terminationGracePeriodSeconds": DRAIN_S + 15,
                "containers": [container],
            }
        },
    }


def service_name(model: str) -> str:
    """A model's name as Kubernetes takes it, short enough for the host names that KServe makes of it.

    >>> service_name("Channel_Sentiment.v2")
    'channel-sentiment-v2'
    >>> service_name("3-layers")
    'model-3-layers'
    """
    name = re.sub(r"[^a-z0-9]+", "-", model.lower())
    name = name if name[0].isalpha() else f"model-{name}"
    return name[:LONGEST_NAME].strip("-")


def memory_limit(source: Source) -> str:
    """A generous guess, to be replaced by what is measured: 512 MiB and four times the model file."""
    size = (source.folder / MODEL_FILE).stat().st_size
    return f"{512 + 4 * -(-size // MEBIBYTE)}Mi"


def _annotations(source: Source) -> dict[str, str]:
    digests = {f"evalkit/sha256.{name}": digest for name, digest in source.manifest.files.items()}
    verdict = "none" if source.judged is None else str(source.judged.standing)
    return {"evalkit/model-version": source.version, "evalkit/verdict": verdict, **digests}


def _resources(source: Source, placement: Placement) -> dict[str, dict[str, str]]:
    # One core more than computes: for the event loop and the tokenizer.
    amount = {"cpu": str(placement.threads + 1), "memory": memory_limit(source)}
    limits = {"nvidia.com/gpu": "1"} if placement.provider is Device.CUDA else {}
    return {"requests": amount | limits, "limits": amount | limits}


def _probe(path: str, *, every_s: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": PORT},
        "periodSeconds": every_s,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }
