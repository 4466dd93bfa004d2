"""Controls that cannot be trained or compared, or that are the student itself."""

from __future__ import annotations

from collections.abc import Iterator

from evalkit.spec.controls import HARD_LABELS, NEED_LABELS, TEACHER_ARGMAX, TRAINED, Controls
from evalkit.spec.distill import Answers, Distill, Hard
from evalkit.spec.gate import GateSpec


def control_problems(spec: GateSpec) -> Iterator[str]:
    """What the controls of this spec need and it does not give."""
    controls, distill = spec.controls, spec.student.distill
    if controls is None:
        return
    if spec.task.kind != "classification":
        yield f"controls compare how often one label is right, and task.kind is {spec.task.kind}; remove them"
    for name in controls.names:
        if name in TRAINED and distill is None:
            yield (
                f"controls: {name} trains the very student that student.distill describes, and the student is given "
                "finished; leave it out, or give student.distill"
            )
        if name in NEED_LABELS and spec.data.train is None:
            yield f"controls: {name} learns from true labels and needs data.train; give the training table"
    if distill is None and controls.seeds > 1:
        yield (
            f"controls.seeds is {controls.seeds}, and the student is given finished, so it has no seeds; leave seeds "
            "out, or give student.distill"
        )
    if distill is not None:
        yield from _the_student_itself(controls, distill)


def _the_student_itself(controls: Controls, distill: Distill) -> Iterator[str]:
    if HARD_LABELS in controls.names and all(isinstance(each, Hard) for each in distill.learnt):
        yield (
            "controls: hard_labels is the student itself, which learns true labels alone; leave it out, or give it "
            "another objective"
        )
    only_answers = all(isinstance(each, Answers) and not each.votes for each in distill.learnt)
    if TEACHER_ARGMAX in controls.names and only_answers:
        yield (
            "controls: teacher_argmax is the student itself, which learns the teacher's answers alone; leave it out, "
            "or give it another objective"
        )
