"""What the student is held against in the same run: without it, "distillation works" is no finding."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from evalkit.spec.section import Section, Stated

Named = Literal["hard_labels", "teacher_argmax", "tfidf"]
HARD_LABELS, TEACHER_ARGMAX, TFIDF = "hard_labels", "teacher_argmax", "tfidf"
LOAD = "load: "
NAMES = (HARD_LABELS, TEACHER_ARGMAX, TFIDF)
TRAINED = (HARD_LABELS, TEACHER_ARGMAX)
"""These train the student of student.distill on something else."""
NEED_LABELS = (HARD_LABELS, TFIDF)
"""These learn from the true labels of data.train."""


class OffTheShelf(Section):
    """A finished classifier with the task's labels that nobody distilled from this teacher."""

    load: Stated
    """A Hugging Face model folder (safetensors) or a served model folder (manifest.json, model.onnx)."""


class Controls(Section):
    """What the student is held against. A list alone is `against`."""

    against: Annotated[tuple[Named | OffTheShelf, ...], Field(min_length=1, json_schema_extra={"uniqueItems": True})]
    """hard_labels: the same student, trained on the true labels with as many steps. teacher_argmax: the same on the
    teacher's answers, without its probabilities. tfidf: TF-IDF with logistic regression on the true labels. {load:
    FOLDER}: a finished classifier."""
    seeds: Annotated[int, Field(ge=1, le=20)] = 1
    """Trainings of the student and of each control, from seed on upwards. Fewer than 3 carry no claim about training,
    only about these very models."""
    worth: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """The gain in accuracy below which distilling is not worth it: a control that is shown to be no further behind is
    as good."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"against": tuple(value)} if isinstance(value, list | tuple) else value

    @field_validator("against", mode="before")
    @classmethod
    def _names_are_known(cls, against: Any) -> Any:
        for each in against if isinstance(against, list | tuple) else ():
            if not isinstance(each, dict | OffTheShelf) and each not in NAMES:
                raise ValueError(f"{each} is not known; there are {', '.join(NAMES)} and {{load: FOLDER}}")
        return against

    @field_validator("against")
    @classmethod
    def _each_once(cls, against: tuple[Named | OffTheShelf, ...]) -> tuple[Named | OffTheShelf, ...]:
        for each in against:
            if against.count(each) > 1:
                raise ValueError(f"{name_of(each)} stands there twice; name each control once")
        return against

    @property
    def names(self) -> tuple[str, ...]:
        """The named ones."""
        return tuple(each for each in self.against if isinstance(each, str))

    @property
    def folders(self) -> tuple[str, ...]:
        """The finished classifiers."""
        return tuple(each.load for each in self.against if isinstance(each, OffTheShelf))


def name_of(control: Named | OffTheShelf) -> str:
    """How a control is called.

    >>> name_of("tfidf"), name_of(OffTheShelf(load="models/other"))
    ('tfidf', 'load: models/other')
    """
    return control if isinstance(control, str) else f"{LOAD}{control.load}"
