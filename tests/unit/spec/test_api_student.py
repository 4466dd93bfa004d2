"""What a student can be taught by a teacher behind an API."""

from __future__ import annotations

import pytest
import yaml

from evalkit.errors import SpecError
from evalkit.spec.loading import parse_spec

API = {"base_url": "http://127.0.0.1:1/v1", "model": "m"}
TERMS = {"provider": "Acme", "url": "https://acme.example/terms", "read_on": "2026-11-01", "permits_training": True}
PRICE = {"source": "price list", "date": "2026-11-01"}
TOKENS = {"usd_per_million_input": 1.0, "usd_per_million_output": 2.0}
SOFT = {"source": "samples"}
OWN = {"tokenizer": "own"}
ANSWERS = [{"objective": "answers"}]


def parsed(distill, soft=None, tokens=TOKENS, labels=("no", "yes"), student="student"):
    spec = {
        "task": {"name": "t", "labels": list(labels)},
        "data": {"held_out": "held_out.csv", "train": "train.csv"},
        "teacher": {"api": API | ({} if soft is None else {"soft": soft}), "terms": TERMS},
        "student": {"distill": distill} if distill else {"load": student},
        "cost": {"teacher": PRICE | {"tokens": tokens}, "student": PRICE | {"usd_per_million_requests": 1.0}},
    }
    return parse_spec(yaml.safe_dump(spec), "gate.yaml")


@pytest.mark.parametrize("shape", [{"encoder": OWN}, {"start": "folder"}])
def test_its_answers_teach_a_student_with_a_tokenizer_of_its_own(shape):
    assert parsed(shape | {"objectives": ANSWERS}).student.distill is not None
    assert parsed(shape, SOFT).student.distill is not None


@pytest.mark.parametrize(
    ("distill", "soft", "message"),
    [
        ({"cut_layers": [0]}, SOFT, "cut_layers takes layers of the teacher"),
        ({"encoder": {}}, SOFT, "encoder has the teacher's tokenizer, and teacher.api has none"),
        ({"module": {"function": "mine:build"}}, SOFT, "module has the teacher's tokenizer, and teacher.api has none"),
        ({"encoder": {"embeddings": "pca"}}, SOFT, "embeddings pca are the teacher's"),
        ({"encoder": OWN}, None, "response.kl needs probabilities, and teacher.api gives one answer a text"),
        ({"encoder": OWN, "objectives": [{"objective": "response.dkd"}]}, None, "response.dkd needs probabilities"),
        ({"encoder": OWN, "objectives": [{"objective": "answers", "votes": True}]}, None, "needs several answers"),
        *(
            ({"start": "folder", "objectives": [{"objective": name}]}, SOFT, f"{name} reads what happens inside")
            for name in ("feature.hidden", "feature.attention", "relation.rkd", "relation.minilm")
        ),
        (
            {"encoder": OWN, "objectives": [{"objective": "relation.rkd"}]},
            SOFT,
            "relation.rkd runs teacher and student",
        ),
        ({"encoder": OWN | {"embeddings": "pca"}}, SOFT, "tokenizer own has other tokens"),
        ({"encoder": {"vocabulary": 400}}, SOFT, "vocabulary is that of tokenizer: own"),
        ({"encoder": OWN | {"vocabulary": 10}}, SOFT, "vocabulary is 10"),
        ({"encoder": OWN, "start": "folder"}, SOFT, "give exactly one of"),
        ({"start": " "}, SOFT, "nothing is named"),
    ],
)
def test_what_it_cannot_give_is_refused_in_one_line(distill, soft, message):
    with pytest.raises(SpecError, match=message) as raised:
        parsed(distill, soft)
    assert "\n" not in str(raised.value)


def test_its_own_answers_are_usage_enough_for_prices_by_the_token():
    assert parsed(None).cost.teacher.tokens.usage is None
    with pytest.raises(SpecError, match=r"cost.teacher.tokens.columns names columns of a usage table"):
        parsed(None, tokens=TOKENS | {"columns": {"input_tokens": "in"}})
    assert parsed(None, tokens=TOKENS | {"columns": {"input_tokens": "in"}, "usage": "usage.csv"}) is not None


def test_a_label_cannot_be_called_as_answers_outside_the_labels_are():
    with pytest.raises(SpecError, match=r"\(outside\) stands for answers that are no label; rename"):
        parsed(None, labels=("no", "(outside)"))
