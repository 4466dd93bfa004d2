"""Where teacher and student come from."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from evalkit.spec.distill import Distill, OwnFunctionName
from evalkit.spec.section import Section, Stated
from evalkit.spec.teacher_api import TeacherApi, Terms

Share = Annotated[float, Field(gt=0.0, lt=1.0)]


class Teacher(Section):
    """The model to be replaced."""

    load: Stated | None = None
    """A Hugging Face model folder (safetensors) or a served model folder (manifest.json, model.onnx)."""
    recorded: Stated | None = None
    """A table of the teacher's recorded predictions for the held-out rows."""
    api: TeacherApi | None = None
    """A chat model behind an OpenAI-compatible API, which is asked for a label of every text. Needs terms."""
    terms: Terms | None = None
    """What the provider's terms of use say about training on the teacher's answers; required with api."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        return self._exactly_one("load", "recorded", "api")

    @model_validator(mode="after")
    def _terms_of_an_api(self) -> Self:
        if self.api is not None and self.terms is None:
            raise ValueError(
                "terms is required with api: read the provider's terms of use and give provider, url, read_on and "
                "permits_training (yes, no or unresolved)"
            )
        return self


class Student(Section):
    """The model that may replace the teacher."""

    distill: Distill | None = None
    load: Stated | None = None
    """A Hugging Face model folder (safetensors), a served model folder (manifest.json, model.onnx), or the folder of a
    torch module of your own (module.json)."""
    function: OwnFunctionName | None = None
    """Needed where load is the folder of a torch module of your own: the package.module:function that made it."""
    recorded: Stated | None = None
    """A table of the student's recorded predictions for the held-out rows."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        return self._exactly_one("distill", "load", "recorded")

    @model_validator(mode="after")
    def _function_of_a_folder(self) -> Self:
        if self.function is not None and self.load is None:
            raise ValueError("function is given without load; to train a module of your own, give distill.module")
        return self
