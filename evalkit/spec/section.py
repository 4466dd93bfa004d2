"""What every section of gate.yaml shares: frozen, and no key that nobody reads."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Annotated, Any, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("nothing is named; give a name or a path, or leave the key out")
    return text


Stated = Annotated[str, AfterValidator(_not_blank), WithJsonSchema({"type": "string", "pattern": r"\S"})]
"""A name or a path that really is given."""


class Section(BaseModel):
    """A frozen part of gate.yaml. An unknown key is refused with the nearest known one."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _keys_are_known(cls, value: Any) -> Any:
        if isinstance(value, dict):
            for key in value:
                if key not in cls.model_fields:
                    raise PydanticCustomError("unknown_key", "{message}", {"message": cls._unknown(str(key))})
        return value

    @model_validator(mode="before")
    @classmethod
    def _no_yes_for_a_number(cls, value: Any) -> Any:
        """YAML's yes, no, on and off would be read as 1 and 0."""
        for key, given in value.items() if isinstance(value, dict) else ():
            field = cls.model_fields.get(key) if isinstance(key, str) else None
            if field is None or not any(isinstance(each, bool) for each in _within(given)):
                continue
            wanted = set(_types(field.annotation))
            if bool not in wanted and wanted & {int, float}:
                message = f"{key} is yes or no where a number belongs; give the number"
                raise PydanticCustomError("no_number", "{message}", {"message": message})
        return value

    @classmethod
    def _unknown(cls, key: str) -> str:
        known = list(cls.model_fields)
        nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
        remedy = f"did you mean '{nearest[0]}'?" if nearest else f"known keys: {', '.join(known)}"
        return f"unknown key '{key}'; {remedy}"

    def _exactly_one(self, *names: str) -> Self:
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) != 1:
            stated = " and ".join(given) if given else "none"
            raise ValueError(f"give exactly one of {', '.join(names)}; {stated} given")
        return self


def _within(value: Any) -> Iterator[Any]:
    """The values that a list or a mapping holds, however deep, or the value itself."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else None
    if inside is None:
        yield value
    else:
        for each in inside:
            yield from _within(each)


def _types(annotation: Any) -> Iterator[Any]:
    """Every type that an annotation names."""
    yield annotation
    for inner in get_args(annotation):
        yield from _types(inner)
