"""`evalkit export-server`: the student for other people's machines."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.cli.boundary import boundary, fail

if TYPE_CHECKING:
    from collections.abc import Callable

    from evalkit.export_server.source import Source

    Write = Callable[[Source, Path], None]


class To(StrEnum):
    """What is written."""

    TRITON = "triton"
    KSERVE = "kserve"
    DOCKER = "docker"


class Backend(StrEnum):
    """Who computes in Triton."""

    PYTHON = "python"
    ONNXRUNTIME = "onnxruntime"


class Device(StrEnum):
    """Where the exported server computes."""

    CPU = "cpu"
    CUDA = "cuda"


BELONGS = {"--backend": To.TRITON, "--image": To.KSERVE, "--storage-uri": To.KSERVE, "--wheel": To.DOCKER}


def export_server(
    source: Annotated[Path, typer.Argument(help="A finished run, or a model folder.", metavar="RUN")],
    to: Annotated[To, typer.Option("--to", help="What to write.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to; MODEL-TO by default.")] = None,
    provider: Annotated[Device | None, typer.Option(help="cpu by default; docker writes both.")] = None,
    threads: Annotated[int, typer.Option(help="Compute threads of one batch.")] = 1,
    max_batch_rows: Annotated[int, typer.Option(help="Texts computed together at most.")] = 16,
    backend: Annotated[Backend | None, typer.Option(help="triton: who runs the model; python by default.")] = None,
    image: Annotated[str | None, typer.Option(help="kserve: the image that runs the server.")] = None,
    storage_uri: Annotated[str | None, typer.Option(help="kserve: where the model will lie.")] = None,
    wheel: Annotated[Path | None, typer.Option(help="docker: a wheel of evalkit-gate to install.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export.")] = False,
    even_if_not_go: Annotated[bool, typer.Option("--even-if-not-go", help="Export whatever the verdict is.")] = False,
) -> None:
    """Write the student of a run as a Triton model repository, a KServe manifest or a Dockerfile.

    Every digest is verified first. Only a student whose verdict is GO, or was overridden to GO, leaves.

    A teacher's terms of use that forbid training, or are unresolved, keep it as well, unless gate.yaml overrides them.

    A bare model folder has no verdict; the output says so.

    Exit code: 0 written, 2 refused, with one line that says why.

    Example: [bold]evalkit export-server runs/channel-sentiment-1a2b3c4d --to triton[/]
    """
    with boundary():
        given = {"--backend": backend, "--image": image, "--storage-uri": storage_uri, "--wheel": wheel}
        for option, value in given.items():
            if value is not None and BELONGS[option] is not to:
                fail(f"{option} belongs to --to {BELONGS[option]}, not to --to {to}; leave it out", 2)
        if to is To.DOCKER and provider is not None:
            fail("--provider does not belong to --to docker, which writes a CPU and a CUDA image; leave it out", 2)
        write = _writer(to, provider or Device.CPU, threads, max_batch_rows, backend, image, storage_uri, wheel)
        _export(source, out, to, write, force, even_if_not_go)


def _writer(
    to: To,
    provider: Device,
    threads: int,
    max_batch_rows: int,
    backend: Backend | None,
    image: str | None,
    storage_uri: str | None,
    wheel: Path | None,
) -> Write:
    from evalkit.export_server import docker, kserve, placement, triton

    where = placement.Placement(provider=placement.Device(provider), threads=threads, max_batch_rows=max_batch_rows)
    if to is To.TRITON:
        runs = triton.TritonOptions(backend=triton.Backend(backend or Backend.PYTHON), placement=where)
        return lambda source, folder: triton.write_triton(source, folder, runs)
    if to is To.KSERVE:
        if image is None:
            fail("--to kserve needs --image, the image that runs the server (see --to docker)", 2)
        service = kserve.KServeOptions(image=image or "", storage_uri=storage_uri, placement=where)
        return lambda source, folder: kserve.write_kserve(source, folder, service)
    built = docker.DockerOptions(wheel=wheel, threads=threads, max_batch_rows=max_batch_rows)
    return lambda source, folder: docker.write_docker(source, folder, built)


def _export(path: Path, out: Path | None, to: To, write: Write, force: bool, even_if_not_go: bool) -> None:
    from evalkit.export_server.permission import Asked, refuse_unless_go, verdict_line
    from evalkit.export_server.source import read_source
    from evalkit.export_server.target import Existing, target
    from evalkit.export_server.terms import refuse_unless_permitted, terms_line

    source = read_source(path)
    refuse_unless_go(source, Asked.EVEN_IF_NOT_GO if even_if_not_go else Asked.GO_ONLY)
    refuse_unless_permitted(source)
    chosen = out or Path(f"{source.manifest.name}-{to}")
    with target(chosen, Existing.REPLACE if force else Existing.REFUSE, source) as folder:
        write(source, folder)
    print(verdict_line(source))
    terms = terms_line(source)
    if terms is not None:
        print(terms)
    print(f"{source.manifest.name}, version {source.version}, is written to {chosen}")
    print(f"{chosen / 'README.md'} says how to start it, and what nobody has tested")
