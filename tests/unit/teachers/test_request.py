"""The question to an API teacher: what is sent, and what its answer is kept under."""

from __future__ import annotations

from evalkit.spec.teacher_api import SoftLabels, TeacherApi
from evalkit.teachers.request import held_out_prompt, training_prompt

LABELS = ("no", "yes")


def api(**more) -> TeacherApi:
    return TeacherApi(base_url="http://127.0.0.1:8000/v1", model="large", **more)


def test_a_request_is_the_instruction_the_text_and_the_settings():
    assert held_out_prompt(api(extra={"seed": 7}), LABELS).question("fine").body == {
        "model": "large",
        "seed": 7,
        "max_tokens": 16,
        "temperature": 0.0,
        "messages": [
            {
                "role": "system",
                "content": "Classify the text. Answer with exactly one of these labels and nothing else: no, yes",
            },
            {"role": "user", "content": "fine"},
        ],
    }


def test_soft_labels_change_how_training_texts_are_asked_and_not_the_held_out_ones():
    listed, sampled = (api(soft=SoftLabels(source=source)) for source in ("top_logprobs", "samples"))
    hard = held_out_prompt(api(), LABELS)
    assert held_out_prompt(listed, LABELS) == held_out_prompt(sampled, LABELS) == hard
    assert training_prompt(api(), LABELS) == hard
    assert training_prompt(listed, LABELS).settings["top_logprobs"] == 20
    assert training_prompt(sampled, LABELS).settings["temperature"] == 1.0


def test_what_changes_the_answer_changes_the_key_and_what_does_not_does_not():
    def key(text: str = "fine", sample: int = 0, labels: tuple[str, ...] = LABELS, **more) -> bytes:
        prompt = held_out_prompt(api(**more), labels)
        return prompt.key(prompt.question(text, sample))

    others = [
        key("bad"), key(sample=1), key(labels=("yes", "no")), key(revision="2"), key(temperature=0.5),
        key(max_tokens=8), key(instruction="Say."), key(extra={"seed": 1}),
    ]  # fmt: skip
    assert len({key(), *others}) == 9
    assert key() == key(concurrency=64, timeout_s=1, attempts=1, key_env="OTHER", budget={"requests": 5})
