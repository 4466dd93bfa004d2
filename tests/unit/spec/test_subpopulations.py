"""Groups of held-out rows: how they may be written, and what is refused before a row is read."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path
from typing import Any

import jsonschema
import pydantic
import pytest
import yaml

from evalkit.errors import SpecError
from evalkit.spec.loading import parse_spec
from evalkit.spec.subpopulations import DERIVED, GroupPolicy, Subpopulation

ROOT = Path(__file__).resolve().parents[3]
MINIMAL: dict[str, Any] = {
    "task": {"name": "reviews", "labels": ["bad", "good"]},
    "data": {"held_out": "held_out.csv"},
    "teacher": {"recorded": "teacher.csv"},
    "student": {"recorded": "student.csv"},
    "requirements": {"cost_reduction": None},
}


def groupings(*by: Any) -> tuple[Subpopulation, ...]:
    text = yaml.safe_dump(MINIMAL | {"subpopulations": {"by": list(by)}})
    return parse_spec(text, "gate.yaml").subpopulations.by


def refused(match: str, *by: Any) -> None:
    with pytest.raises(SpecError, match=rf"^gate\.yaml: {match}") as raised:
        groupings(*by)
    assert "\n" not in str(raised.value)


class TestShortForms:
    @pytest.mark.parametrize(
        ("short", "long"),
        [
            ("a", {"columns": ["a"]}),
            (["a", "b"], {"columns": ["a", "b"]}),
            ({"columns": "a", "margin": 0.1}, {"columns": ["a"], "margin": 0.1}),
            ({"columns": "age", "bins": [18, 65]}, {"columns": ["age"], "bins": {"age": [18, 65]}}),
            ({"columns": ["age"], "bins": [18]}, {"columns": ["age"], "bins": {"age": [18]}}),
            ({"columns": "age", "quantiles": 4}, {"columns": ["age"], "quantiles": {"age": 4}}),
            ("@label", {"columns": ["@label"]}),
        ],
        ids=repr,
    )
    def test_say_the_same_as_the_long_one(self, short: Any, long: Any) -> None:
        assert groupings(short) == groupings(long)

    def test_of_a_cross_bin_each_column_in_its_own_way(self) -> None:
        (cross,) = groupings(
            {"columns": ["age", "income", "land"], "bins": {"age": [18, 65]}, "quantiles": {"income": 5}}
        )
        assert cross.columns == ("age", "income", "land")
        assert cross.bins == {"age": (18.0, 65.0)}
        assert cross.quantiles == {"income": 5}

    @pytest.mark.parametrize(("key", "value"), [("bins", [18, 65]), ("quantiles", 4)])
    def test_are_refused_for_a_cross_since_they_do_not_say_of_which_column(self, key: str, value: Any) -> None:
        refused(
            rf"subpopulations\.by\.0: {key} is given once for several columns \(age, land\); write {key}: {{age: …}}",
            {"columns": ["age", "land"], key: value},
        )

    def test_leave_what_they_were_read_from_unchanged(self) -> None:
        given = {"columns": "age", "bins": [18, 65]}
        Subpopulation.model_validate(given)
        assert given == {"columns": "age", "bins": [18, 65]}


class TestColumns:
    @pytest.mark.parametrize(
        ("grouping", "message"),
        [
            ([], r"subpopulations\.by\.0\.columns: .*at least 1 item"),
            ({}, r"subpopulations\.by\.0\.columns is missing; add it"),
            ({"columns": [], "bins": [1]}, r"subpopulations\.by\.0\.columns: .*at least 1 item"),
            ("", r"subpopulations\.by\.0\.columns: a column's name is empty; name one of the table's columns"),
            (["a", " "], r"subpopulations\.by\.0\.columns: a column's name is empty"),
            (["a", "b", "a"], r"subpopulations\.by\.0\.columns: a stands there twice; name each column once"),
            ([["a"]], r"subpopulations\.by\.0\.columns\.0: .*valid string"),
            (5, r"subpopulations\.by\.0 is 5: "),
            ({"columns": "a", "margn": 0.1}, r"subpopulations\.by\.0: unknown key 'margn'; did you mean 'margin'\?"),
            ("@lable", r"subpopulations\.by\.0\.columns: @lable is not known; there are @text_length, @label, "),
            (["a", "@confidence"], r"subpopulations\.by\.0\.columns: @confidence is not known; there are @text_length"),
        ],
        ids=repr,
    )
    def test_that_name_nothing_are_refused(self, grouping: Any, message: str) -> None:
        refused(message, grouping)

    @pytest.mark.parametrize("again", ["a", ["a"], {"columns": "a", "margin": 0.2}, {"columns": "a", "quantiles": 4}])
    def test_grouped_by_twice_are_refused(self, again: Any) -> None:
        refused(r"subpopulations\.by: a stands there twice; name each grouping once", "a", "b", again)

    def test_crossed_twice_are_refused_in_any_order(self) -> None:
        refused(r"subpopulations\.by: a × b stands there twice; name each grouping once", ["a", "b"], ["b", "a"])

    def test_and_their_crosses_are_different_groupings(self) -> None:
        assert [each.columns for each in groupings("a", "b", ["a", "b"])] == [("a",), ("b",), ("a", "b")]

    @pytest.mark.parametrize("column", DERIVED)
    def test_that_evalkit_computes_are_known_by_name(self, column: str) -> None:
        (grouping,) = groupings([column, "land"])
        needs = column in ("@teacher_answer", "@teacher_confidence", "@student_confidence")
        assert grouping.needs_predictions is needs


class TestBins:
    @pytest.mark.parametrize("edges", [[65, 18], [18, 40, 40], [18, 18], [1, 2, 3, 2.5]], ids=repr)
    @pytest.mark.parametrize("short", [True, False], ids=["short", "long"])
    def test_with_edges_that_do_not_rise_are_refused(self, edges: list[float], short: bool) -> None:
        lower, upper = next((one, two) for one, two in itertools.pairwise(edges) if one >= two)
        refused(
            rf"subpopulations\.by\.0\.bins: the edges of age do not rise \({lower:g}, {upper:g}\); order them, each",
            {"columns": "age", "bins": edges if short else {"age": edges}},
        )

    def test_that_are_ranges_are_refused_since_they_could_overlap(self) -> None:
        refused(
            r"subpopulations\.by\.0\.bins: the bins of age are ranges, which can overlap; give rising edges",
            {"columns": "age", "bins": [[0, 20], [10, 30]]},
        )

    @pytest.mark.parametrize(
        ("bins", "message"),
        [
            ([], r"subpopulations\.by\.0\.bins\.age: .*at least 1 item"),
            (18, r"subpopulations\.by\.0\.bins\.age is 18: .*valid tuple"),
            (["young", "old"], r"subpopulations\.by\.0\.bins\.age\.0 is 'young': .*valid number"),
            ([18, float("nan")], r"subpopulations\.by\.0\.bins\.age\.1 is nan: .*finite"),
            ([float("-inf"), 18], r"subpopulations\.by\.0\.bins\.age\.0 is -inf: .*finite"),
            ({"income": [1, 2]}, r"subpopulations\.by\.0: bins names income, which is not one of columns age"),
            ("18, 65", r"subpopulations\.by\.0\.bins is '18, 65': .*dictionary"),
            (None, r"subpopulations\.by\.0\.bins: .*dictionary"),
        ],
        ids=repr,
    )
    def test_that_are_no_edges_are_refused(self, bins: Any, message: str) -> None:
        refused(message, {"columns": "age", "bins": bins})

    @pytest.mark.parametrize("key", ["bins", "quantiles"])
    @pytest.mark.parametrize("column", ["@label", "@teacher_answer"])
    def test_of_words_are_refused(self, column: str, key: str) -> None:
        binned = {"columns": column, key: {"bins": [1.0], "quantiles": 4}[key]}
        refused(rf"subpopulations\.by\.0: {key} names {column}, which holds words and no numbers; leave {key}", binned)

    def test_of_a_computed_number_are_allowed(self) -> None:
        (grouping,) = groupings({"columns": "@teacher_confidence", "bins": [0.5, 0.9]})
        assert grouping.bins == {"@teacher_confidence": (0.5, 0.9)}

    def test_and_quantiles_of_one_column_are_refused(self) -> None:
        refused(
            r"subpopulations\.by\.0: age has bins and quantiles; give one of them",
            {"columns": "age", "bins": [18], "quantiles": 4},
        )


@pytest.mark.parametrize(
    ("quantiles", "message"),
    [
        (1, r"quantiles\.age is 1: .*greater than or equal to 2"),
        (0, r"quantiles\.age is 0: .*greater than or equal to 2"),
        (-4, r"quantiles\.age is -4: .*greater than or equal to 2"),
        (101, r"quantiles\.age is 101: .*less than or equal to 100"),
        (2.5, r"quantiles\.age is 2\.5: .*valid integer"),
        ([4], r"quantiles\.age: .*valid integer"),
        ({"age": 1}, r"quantiles\.age is 1: .*greater than or equal to 2"),
    ],
    ids=repr,
)
def test_quantiles_that_make_no_groups_are_refused(quantiles: Any, message: str) -> None:
    refused(rf"subpopulations\.by\.0\.{message}", {"columns": "age", "quantiles": quantiles})


def test_quantiles_that_name_another_column_are_refused() -> None:
    refused(
        r"subpopulations\.by\.0: quantiles names income, which is not one of columns age, land",
        {"columns": ["age", "land"], "quantiles": {"income": 4}},
    )


@pytest.mark.parametrize("margin", [0, 1, 1.5, -0.1], ids=repr)
@pytest.mark.parametrize("of", ["grouping", "group"])
def test_a_margin_that_is_no_share_is_refused_with_an_example(of: str, margin: float) -> None:
    if of == "grouping":
        where, grouping = r"subpopulations\.by\.0\.margin", {"columns": "a", "margin": margin}
    else:
        where, grouping = (
            r"subpopulations\.by\.0\.groups\.x\.margin",
            {"columns": "a", "groups": {"x": {"margin": margin}}},
        )
    refused(rf"{where} is {margin}: .*; give a fraction in \(0, 1\), e\.g\. 0\.05", grouping)


class TestWeights:
    @staticmethod
    def weighted(**weights: float | None) -> dict[str, Any]:
        return {"columns": "a", "groups": {name: {"weight": weight} for name, weight in weights.items()}}

    def test_may_be_in_any_unit_and_0_for_some(self) -> None:
        (grouping,) = groupings(self.weighted(x=300, y=0, z=2.5))
        assert [policy.weight for policy in grouping.groups.values()] == [300.0, 0.0, 2.5]

    def test_below_0_are_refused(self) -> None:
        refused(r"subpopulations\.by\.0\.groups\.y\.weight is -1: .*or equal to 0", self.weighted(x=2, y=-1))

    @pytest.mark.parametrize("infinite", [float("inf"), float("nan")])
    def test_that_are_no_finite_number_are_refused(self, infinite: float) -> None:
        refused(r"subpopulations\.by\.0\.groups\.x\.weight is (inf|nan): .*finite", self.weighted(x=infinite))

    def test_that_are_all_0_are_refused(self) -> None:
        refused(r"subpopulations\.by\.0: all weights are 0; give at least one above 0", self.weighted(x=0, y=0))

    def test_that_some_groups_lack_are_refused(self) -> None:
        refused(
            r"subpopulations\.by\.0: some groups have a weight and some have none; give each one",
            self.weighted(x=2, y=None),
        )

    def test_are_not_needed(self) -> None:
        (grouping,) = groupings({"columns": "a", "groups": {"x": {"margin": 0.1}, "y": {"required": False}}})
        assert grouping.groups == {"x": GroupPolicy(margin=0.1), "y": GroupPolicy(required=False)}


def test_a_value_that_yaml_takes_for_a_number_is_quoted_before_it_has_a_policy() -> None:
    refused(
        r"subpopulations\.by\.0\.groups\.5\.\[key\] is 5: .*quote it if it is text", {"columns": "a", "groups": {5: {}}}
    )


def test_an_unknown_key_of_a_groups_policy_is_refused() -> None:
    refused(
        r"subpopulations\.by\.0\.groups\.x: unknown key 'wieght'; did you mean 'weight'\?",
        {"columns": "a", "groups": {"x": {"wieght": 1}}},
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"small": "refuse"}, r"subpopulations\.small is 'refuse': .*'block', 'inconclusive' or 'merge'"),
        ({"minimum_rows": 0}, r"subpopulations\.minimum_rows is 0: .*greater than or equal to 1"),
    ],
)
def test_what_to_do_with_small_groups_is_one_of_three(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=rf"^gate\.yaml: {message}"):
        parse_spec(yaml.safe_dump(MINIMAL | {"subpopulations": changes}), "gate.yaml")


def published() -> jsonschema.Draft202012Validator:
    """The schema as docs/generate.py makes it."""
    place = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert place is not None
    assert place.loader is not None
    generate = importlib.util.module_from_spec(place)
    place.loader.exec_module(generate)
    schema = generate.json_schema()
    return jsonschema.Draft202012Validator({"$defs": schema["$defs"], "$ref": "#/$defs/Subpopulation"})


ABSENT = object()
COLUMNS = (
    "a", " a", "", " ", "@text_length", "@nope", 5, None, [], ["a"], [""], ["@nope"], ["a", "b"], ["b", "a", "@label"],
    ["a", "a"], [5],
)  # fmt: skip
BINS = (
    ABSENT, [1, 2], [1.5], [], ["x"], [[1, 2]], 5, True, None, "x", {}, {"a": [1, 2]}, {"a": []}, {"a": 1}, {"a": "x"},
)  # fmt: skip
QUANTILES = (ABSENT, 4, 4.0, 2, 100, 1, 101, 2.5, True, None, "4", [4], {}, {"a": 4}, {"a": 1}, {"a": [4]})


def test_the_published_schema_accepts_exactly_the_forms_that_the_types_accept() -> None:
    """Short and long forms in every combination, but for what no schema can say: which column is binned, and once."""
    validator = published()
    mappings = [
        {key: value for key, value in zip(("columns", "bins", "quantiles"), each, strict=True) if value is not ABSENT}
        for each in itertools.product((ABSENT, *COLUMNS), BINS, QUANTILES)
    ]
    forms = [*COLUMNS, *(each for each in mappings if expressible(each))]
    accepted = [form for form in forms if accepted_by_types(form)]
    assert [form for form in forms if validator.is_valid(form)] == accepted
    assert 20 < len(accepted) < len(forms) - 20


def expressible(form: dict[str, Any]) -> bool:
    binned = [form[key] for key in ("bins", "quantiles") if form.get(key) not in (None, {})]
    names_a = form.get("columns") in ("a", ["a"], ["a", "b"], ["b", "a", "@label"])
    return len(binned) < 2 and (names_a or not any(isinstance(each, dict) for each in binned))


def accepted_by_types(form: Any) -> bool:
    try:
        Subpopulation.model_validate(form)
    except pydantic.ValidationError:
        return False
    return True
