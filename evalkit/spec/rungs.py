"""The rungs of a ladder: one student of several sizes, everything else of its distillation the same."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from evalkit.errors import SpecError
from evalkit.spec.distill import LADDER, Distill, FeatureAttention, FeatureHidden
from evalkit.spec.refusals import refusal

HEAD_WIDTH = 64
TEACHER = "teacher"
SHAPE_KEYS = ("cut_layers", "encoder", "start", "module")
OWN_SHAPE = ("size", "layers", "width", "heads")
CUT = re.compile(r"cut:(\d+(?:-\d+)*)")
BY_WIDTH = re.compile(r"(\d+)[x×](\d+)")
REMEDY = (
    f"give {', '.join(LADDER)}, the teacher's layers as cut:0-2-4, layers x width as 2x64, or teacher for all of its "
    "layers"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherShape:
    """Encoder layers of the teacher and how wide it is."""

    layers: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RungShape:
    """One student of the ladder as it is trained. ``layers`` and ``width`` are its own.

    A control is as large as the teacher: it shows what this training can reach, and is no candidate.
    """

    name: str
    distill: Distill
    layers: int
    width: int | None
    is_control: bool

    @property
    def is_cut(self) -> bool:
        """Whether it starts from the teacher's layers; otherwise it is an encoder from scratch."""
        return self.distill.cut_layers is not None


def shapes_of(stated: str, distill: Distill, teacher: TeacherShape | None) -> tuple[RungShape, ...]:
    """The rungs that ``stated`` names, separated by commas, in its order. ``teacher`` is None where it has no folder.

    Raises SpecError for fewer than two, for a shape that is named twice, and for one that cannot be meant.
    """
    names = [name.strip() for name in stated.split(",") if name.strip()]
    if len(names) < 2:
        raise SpecError(f"--sizes {stated!r} names {len(names)} of the two rungs or more that a ladder needs: {REMEDY}")
    rungs = tuple(_shape(name, distill, teacher) for name in names)
    seen: dict[Any, str] = {}
    for rung in rungs:
        encoder = rung.distill.encoder
        what = rung.distill.cut_layers if encoder is None else encoder.shape
        if what in seen:
            raise SpecError(f"--sizes names {rung.name} and {seen[what]}, which are one shape; name each once")
        seen[what] = rung.name
    if all(rung.is_control for rung in rungs):
        raise SpecError(f"--sizes {stated!r} names only students of the teacher's size; add a smaller one: {REMEDY}")
    for rung in rungs:
        _refuse_layer_maps(rung)
    return rungs


def _shape(name: str, distill: Distill, teacher: TeacherShape | None) -> RungShape:
    if name in LADDER:
        layers, width, _ = LADDER[name]
        return _encoder(name, {"size": name}, (layers, width), distill, teacher)
    if by_width := BY_WIDTH.fullmatch(name):
        layers, width = (int(number) for number in by_width.groups())
        stated = {"layers": layers, "width": width, "heads": heads_of(width)}
        return _encoder(name, stated, (layers, width), distill, teacher)
    if name == TEACHER or CUT.fullmatch(name):
        return _cut(name, distill, teacher)
    raise SpecError(f"--sizes names {name!r}, which is no size; {REMEDY}")


def heads_of(width: int) -> int:
    """As many heads of width 64 as fit, or the next fewer that divide ``width``.

    >>> [heads_of(width) for width in (32, 64, 312, 384)]
    [1, 1, 4, 6]
    """
    return next(heads for heads in range(max(1, width // HEAD_WIDTH), 0, -1) if width % heads == 0)


def _encoder(
    name: str, shape: dict[str, Any], size: tuple[int, int], distill: Distill, teacher: TeacherShape | None
) -> RungShape:
    given = {} if distill.encoder is None else distill.encoder.model_dump(exclude_unset=True)
    kept = {key: value for key, value in given.items() if key not in OWN_SHAPE}
    layers, width = size
    if teacher is not None and kept.get("embeddings") == "pca" and width > teacher.width:
        raise SpecError(
            f"--sizes: {name} is {width} wide and its teacher {teacher.width}, and student.distill.encoder.embeddings "
            "is pca; leave this rung out, or say embeddings: fresh"
        )
    return RungShape(
        name=name,
        distill=_with(name, distill, {"encoder": {**kept, **shape}}),
        layers=layers,
        width=width,
        is_control=teacher is not None and layers >= teacher.layers and width >= teacher.width,
    )


def _cut(name: str, distill: Distill, teacher: TeacherShape | None) -> RungShape:
    if teacher is None:
        raise SpecError(
            f"--sizes names {name}, and the teacher has no layers to cut; give teacher.load, or other sizes"
        )
    layers = tuple(range(teacher.layers)) if name == TEACHER else tuple(int(part) for part in name[4:].split("-"))
    if list(layers) != sorted(set(layers)) or layers[-1] >= teacher.layers:
        raise SpecError(
            f"--sizes names {name}; give rising numbers of the teacher's {teacher.layers} layers, e.g. "
            f"cut:{'-'.join(str(each) for each in dict.fromkeys((0, teacher.layers - 1)))}"
        )
    return RungShape(
        name=name,
        distill=_with(name, distill, {"cut_layers": layers}),
        layers=len(layers),
        width=None,
        is_control=len(layers) == teacher.layers,
    )


def _with(name: str, distill: Distill, shape: dict[str, Any]) -> Distill:
    kept = {key: value for key, value in distill.model_dump(exclude_unset=True).items() if key not in SHAPE_KEYS}
    try:
        return Distill.model_validate({**kept, **shape})
    except ValidationError as error:
        raise SpecError(
            f"--sizes: {name} does not go with student.distill: {refusal(error, 'the two together')}"
        ) from error


def _refuse_layer_maps(rung: RungShape) -> None:
    """Raises SpecError where an objective maps layers that this rung does not have."""
    for objective in _mapped(rung.distill.learnt):
        if objective.layers is not None and max(objective.layers) >= rung.layers:
            raise SpecError(
                f"--sizes: {rung.name} has {rung.layers} layers, and {objective.objective} maps layer "
                f"{max(objective.layers)} (from 0); leave `layers` out, so that each rung spreads its own evenly"
            )


def _mapped(objectives: Sequence[Any]) -> Iterator[FeatureHidden | FeatureAttention]:
    return (each for each in objectives if isinstance(each, FeatureHidden | FeatureAttention))
