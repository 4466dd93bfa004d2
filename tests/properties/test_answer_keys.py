"""Keys of kept answers: one for one request, whatever the order of its keys; another for every other request."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from evalkit.teachers.answers import Answer, AnswerStore
from evalkit.teachers.request import answer_key

TEXTS = st.text(st.characters(exclude_categories=("Cs",)))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
BODIES = st.dictionaries(TEXTS, VALUES, max_size=4)
REQUESTS = st.tuples(BODIES, TEXTS, st.integers(0, 5))


def backwards(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: backwards(value[key]) for key in reversed(value)}
    return [backwards(each) for each in value] if isinstance(value, list) else value


@given(REQUESTS)
def test_the_order_of_keys_does_not_change_the_key(request):
    body, revision, sample = request
    assert answer_key(body, revision, sample) == answer_key(backwards(body), revision, sample)


@given(REQUESTS, REQUESTS)
def test_two_requests_share_a_key_only_where_they_are_the_same(first, second):
    same = json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
    assert (answer_key(*first) == answer_key(*second)) is same


@given(TEXTS, TEXTS)
def test_a_kept_answer_comes_back_as_it_was_said(tmp_path_factory, text, token):
    answer = Answer(
        text=text, finish_reason="stop", model="m", input_tokens=3, output_tokens=None, usd=0.5, latency_ms=2.0,
        tokens=((token, ((token, -0.1), ("other", -3.0))),),
    )  # fmt: skip
    with AnswerStore(tmp_path_factory.mktemp("store") / "answers.sqlite") as store:
        store.keep(b"k" * 32, 0, answer)
        assert store.answer(b"k" * 32) == answer
        assert store.answer(b"l" * 32) is None
