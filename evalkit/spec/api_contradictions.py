"""What cannot be learnt from a teacher behind an API."""

from __future__ import annotations

from collections.abc import Iterator

from evalkit.spec.distill import RESPONSE, Answers, Distill, Inside
from evalkit.spec.gate import GateSpec
from evalkit.spec.teacher_api import TeacherApi

REMEDY = "give tokenizer: own to encoder or module, or start with a folder"


def api_problems(spec: GateSpec) -> Iterator[str]:
    """Shapes and objectives of student.distill that need more than teacher.api's answers."""
    distill, api = spec.student.distill, spec.teacher.api
    if distill is not None and api is not None:
        yield from _shape_problems(distill)
        yield from _objective_problems(distill, api)


def _shape_problems(distill: Distill) -> Iterator[str]:
    if distill.cut_layers is not None:
        yield f"student.distill.cut_layers takes layers of the teacher, and teacher.api has none to give; {REMEDY}"
    if distill.encoder is not None and distill.encoder.embeddings == "pca":
        yield (
            "student.distill.encoder.embeddings pca are the teacher's, and teacher.api has none to give; "
            "give embeddings: fresh"
        )
    for name, shape in (("encoder", distill.encoder), ("module", distill.module)):
        if shape is not None and shape.tokenizer == "teacher":
            yield f"student.distill.{name} has the teacher's tokenizer, and teacher.api has none to give; {REMEDY}"
    if distill.module is not None and distill.module.tokenizer == "teacher":
        yield (
            "student.distill.module has the teacher's tokenizer, and teacher.api has none to give; give module with "
            "tokenizer: own"
        )


def _objective_problems(distill: Distill, api: TeacherApi) -> Iterator[str]:
    for each in distill.learnt:
        if isinstance(each, Inside):
            yield (
                f"student.distill: {each.objective} reads what happens inside the teacher, and teacher.api shows its "
                "answers alone; use response.kl with teacher.api.soft, or answers"
            )
        if isinstance(each, RESPONSE) and api.soft is None:
            yield (
                f"student.distill: {each.objective} needs probabilities, and teacher.api gives one answer a text; give "
                "teacher.api.soft, or objectives: [{objective: answers}]"
            )
        if isinstance(each, Answers) and each.votes and api.soft is None:
            yield (
                "student.distill: answers with votes needs several answers a text; give teacher.api.soft, or votes: "
                "false"
            )
