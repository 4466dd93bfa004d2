"""What YAML itself accepts and nobody can mean."""

from __future__ import annotations

import pytest

from evalkit.errors import SpecError
from evalkit.spec.yaml_text import parse_yaml

BILLIONS = "a0: &a0 [x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[" * 5_000, "nested more than 50 deep"),
        ("task: &task {name: x, labels: *task}", "nested more than 50 deep"),
        (BILLIONS, "more than 1,000,000 values; write it out without aliases"),
        ("date: 2026-13-01", r"a date or a number that is none \(month must be in 1\.\.12\); correct it"),
        ("seed: " + "9" * 5_000, "a date or a number that is none"),
    ],
    ids=["depth", "itself", "billions", "month", "digits"],
)
def test_content_that_is_none_is_refused_in_one_line_and_at_once(text, problem):
    with pytest.raises(SpecError, match=rf"^gate\.yaml .*{problem}") as raised:
        parse_yaml(text, "gate.yaml")
    assert "\n" not in str(raised.value)


def test_aliases_that_end_are_read():
    assert parse_yaml("a: &margin {margin: 0.1}\nb: {web: *margin, shop: *margin}", "gate.yaml")["b"] == {
        "web": {"margin": 0.1},
        "shop": {"margin": 0.1},
    }
