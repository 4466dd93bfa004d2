"""What the report says of held-out rows that repeat a text."""

from __future__ import annotations

import dataclasses

import pytest

from reports.validity import validity
from tests.unit.reports import records


def said(found: dict[str, int] | None, cluster: str | None, kind: str = "classification") -> list[tuple[str, str]]:
    record = records.go()
    data = {name: value for name, value in record.data.items() if name != "equal_texts"}
    stated = {**record.spec.get("data", {}), "columns": {"cluster": cluster}}
    changed = dataclasses.replace(
        record,
        task={**record.task, "kind": kind},
        data=data if found is None else {**data, "equal_texts": found},
        spec={**record.spec, "data": stated},
    )
    return [(each.state.word, each.text) for each in validity(changed) if each.name == "Texts differ"]


def counted(repeated: int, labelled_otherwise: int = 0, apart: int = 0) -> dict[str, int]:
    return {"held_out": 1200, "repeated": repeated, "labelled_otherwise": labelled_otherwise, "apart": apart}


@pytest.mark.parametrize(
    ("found", "cluster", "state", "text"),
    [
        (counted(0), None, "holds", "0 of 1,200 rows repeat another's text"),
        (counted(7), None, "look", "7 of 1,200 rows repeat another's text; equal texts count as one cluster"),
        (counted(7, 2), "user", "holds", "7 of 1,200 rows repeat another's text, 2 of them with another answer"),
        (
            counted(7, apart=3),
            "us\ner",
            "look",
            (
                "7 of 1,200 rows repeat another's text; 3 of them lie in another cluster of us er and count as further "
                "evidence"
            ),
        ),
        (None, None, "not measured", "held-out texts were not compared with each other"),
    ],
    ids=["none", "counted as clusters", "within the clusters stated", "across the clusters stated", "an older record"],
)
def test_repeated_texts_are_told_with_what_they_count_for(found, cluster, state, text):
    assert said(found, cluster) == [(state, text)]


def test_nothing_is_said_of_the_items_of_a_ranking_which_recur_by_nature():
    assert said(None, None, kind="ranking") == []
