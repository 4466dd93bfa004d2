"""A policy lies under the gate's own words: what the gate says itself wins, key by key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from evalkit.errors import SpecError
from evalkit.spec.gate import GateSpec
from evalkit.spec.loading import load_spec, parse_spec, spec_digest
from evalkit.spec.policy import PRESETS, preset_text

PRICE = {"usd_per_million_requests": 10, "source": "invoice", "date": "2026-11-01"}
MINIMAL: dict[str, Any] = {
    "task": {"name": "reviews", "labels": ["bad", "good"]},
    "data": {"held_out": "held_out.csv"},
    "teacher": {"recorded": "teacher.csv"},
    "student": {"recorded": "student.csv"},
    "cost": {"teacher": PRICE, "student": PRICE},
}


def gate(folder: Path | None = None, **changes: Any) -> GateSpec:
    return parse_spec(yaml.safe_dump(MINIMAL | changes), "gate.yaml", folder)


def refused(match: str, folder: Path | None = None, **changes: Any) -> None:
    with pytest.raises(SpecError, match=match) as raised:
        gate(folder, **changes)
    assert "\n" not in str(raised.value)


@pytest.fixture
def own(tmp_path: Path) -> Any:
    """Writes policy.yaml beside a gate.yaml and parses the gate over it."""

    def parsed(policy: Any, **changes: Any) -> GateSpec:
        (tmp_path / "policy.yaml").write_text(policy if isinstance(policy, str) else yaml.safe_dump(policy))
        return gate(tmp_path, policy="policy.yaml", **changes)

    return parsed


class TestPresets:
    @pytest.mark.parametrize("name", PRESETS)
    def test_are_gates_that_can_be_asked(self, name: str) -> None:
        assert gate(policy=name).policy == name

    @pytest.mark.parametrize("name", PRESETS)
    def test_begin_with_what_they_are_for(self, name: str) -> None:
        first, second = preset_text(name).splitlines()[:2]
        assert first.startswith(f"# {name}: ")
        assert not second.startswith("#")

    @pytest.mark.parametrize("name", PRESETS)
    def test_set_only_what_is_read(self, name: str) -> None:
        """Every key of the file is found in the spec with its own value."""

        def agrees(said: Any, read: Any) -> bool:
            if not isinstance(said, dict):
                return bool(said == read)
            return all(agrees(value, getattr(read, key)) for key, value in said.items())

        assert agrees(yaml.safe_load(preset_text(name)), gate(policy=name))

    def test_balanced_is_exactly_the_defaults(self) -> None:
        assert gate(policy="balanced").model_copy(update={"policy": None}) == gate()

    def test_ask_for_less_from_strict_to_exploratory(self) -> None:
        strict, balanced, exploratory = (gate(policy=name).requirements for name in PRESETS)
        confidences = [each.confidence for each in (strict, balanced, exploratory)]
        assert confidences == sorted(confidences, reverse=True)
        for margin in ("overall_margin", "subpopulation_margin"):
            margins = [getattr(each.quality, margin) for each in (strict, balanced, exploratory)]
            assert margins == sorted(set(margins))
        retained = [each.quality.retention for each in (strict, balanced, exploratory)]
        assert retained == sorted(retained, reverse=True)

    def test_of_another_name_are_refused_with_those_there_are(self) -> None:
        refused(
            r"^gate\.yaml: policy 'lenient' is neither a preset \(strict, balanced, exploratory\) nor a file; correct "
            r"it, or write one with `evalkit policy balanced > policy\.yaml`",
            policy="lenient",
        )
        with pytest.raises(SpecError, match=r"policy lenient is not known; there are strict, balanced, exploratory"):
            preset_text("lenient")

    def test_printed_and_taken_as_an_own_file_ask_the_same(self, own: Any) -> None:
        for name in PRESETS:
            asked = own(preset_text(name))
            assert asked.model_copy(update={"policy": name}) == gate(policy=name)


class TestWhatTheGateSaysItself:
    def test_wins_key_by_key_and_the_rest_is_the_policys(self) -> None:
        asked = gate(policy="strict", requirements={"quality": {"overall_margin": 0.02}})
        assert asked.requirements.quality.overall_margin == 0.02
        assert asked.requirements.quality.subpopulation_margin == 0.03
        assert asked.requirements.confidence == 0.99
        assert asked.subpopulations.small == "block"

    def test_wins_where_it_is_the_default_value_too(self) -> None:
        asked = gate(policy="strict", requirements={"confidence": 0.95}, subpopulations={"small": "inconclusive"})
        assert (asked.requirements.confidence, asked.subpopulations.small) == (0.95, "inconclusive")

    def test_wins_where_it_is_null(self) -> None:
        asked = gate(policy="strict", discovery=None, requirements={"quality": {"retention": None}})
        assert asked.discovery is None
        assert asked.requirements.quality.retention is None

    def test_wins_over_a_policy_that_says_null(self, own: Any) -> None:
        assert own({"discovery": None}).discovery is None
        assert own({"discovery": None}, discovery={"min_rows": 30}).discovery.min_rows == 30

    def test_replaces_a_list_as_a_whole(self, own: Any) -> None:
        policy = {
            "requirements": {"quality": {"metrics": [{"metric": "auc", "margin": 0.1}]}},
            "subpopulations": {"by": ["a"]},
        }
        asked = own(policy, subpopulations={"by": ["b"]})
        assert [each.columns for each in asked.subpopulations.by] == [("b",)]
        assert [each.metric for each in asked.requirements.quality.metrics] == ["auc"]

    def test_may_complete_what_a_policy_leaves_open(self, own: Any) -> None:
        policy = {"requirements": {"looks": {"spending": "obrien_fleming"}}}
        looks = own(policy, requirements={"looks": {"planned": 4}}).requirements.looks
        assert (looks.planned, looks.spending) == (4, "obrien_fleming")
        with pytest.raises(SpecError, match=r"^gate\.yaml: requirements\.looks\.planned is missing; add it"):
            own(policy)


class TestAnOwnFile:
    def test_is_found_beside_gate_yaml_and_not_where_the_command_runs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
        for folder, margin in ((project / "bars", 0.02), (elsewhere / "bars", 0.3)):
            folder.mkdir(parents=True)
            (folder / "ours.yaml").write_text(f"requirements: {{quality: {{overall_margin: {margin}}}}}\n")
        (project / "gate.yaml").write_text(yaml.safe_dump(MINIMAL | {"policy": "bars/ours.yaml"}))
        monkeypatch.chdir(elsewhere)
        assert load_spec(project / "gate.yaml").spec.requirements.quality.overall_margin == 0.02

    def test_changes_the_digest_with_every_value(self, own: Any) -> None:
        digests = {spec_digest(own({"requirements": {"confidence": value}})) for value in (0.9, 0.91)}
        assert len(digests) == 2

    def test_that_is_not_there_is_named_in_the_file_that_asks_for_it(self, tmp_path: Path) -> None:
        refused(r"^gate\.yaml: policy 'ours\.yaml' is neither a preset .* nor a file", tmp_path, policy="ours.yaml")

    @pytest.mark.parametrize(
        "key", ["task", "data", "teacher", "student", "cost", "load", "serve", "seed", "policy", "zzz"]
    )
    def test_with_anything_but_a_bar_is_refused(self, own: Any, key: str) -> None:
        with pytest.raises(
            SpecError,
            match=rf"policy\.yaml: a policy cannot set '{key}'; it has requirements, subpopulations, discovery",
        ):
            own({key: {}})

    @pytest.mark.parametrize("text", ["", "- strict", "strict", "5"], ids=repr)
    def test_without_sections_is_refused(self, own: Any, text: str) -> None:
        with pytest.raises(SpecError, match=r"policy\.yaml holds no sections; a policy has requirements, subpop"):
            own(text)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("requirements: [", "policy.yaml is not valid YAML"),
            ("requirements: {confidence: 0.9, confidence: 0.99}", "policy.yaml is not valid YAML: .*twice"),
            ("requirements: {confidnce: 0.9}", "policy.yaml: requirements: unknown key 'confidnce'; did you mean"),
            ("requirements: {confidence: 0.5}", "policy.yaml: requirements.confidence is 0.5: .*or equal to 0.8"),
            ("requirements: 5", "policy.yaml: requirements is 5: "),
            ("discovery: yes", "policy.yaml: discovery is True: "),
            ("subpopulations: {by: [a, a]}", "policy.yaml: subpopulations.by: a stands there twice"),
        ],
        ids=lambda text: text[:30],
    )
    def test_with_a_mistake_is_named_itself_even_where_the_gate_says_otherwise(
        self, own: Any, text: str, message: str
    ) -> None:
        with pytest.raises(SpecError, match=message):
            own(
                text,
                requirements={"confidence": 0.9},
                discovery={"required": False},
                subpopulations={"by": ["b"]},
            )

    def test_that_is_not_utf_8_is_refused_by_name(self, tmp_path: Path) -> None:
        (tmp_path / "ours.yaml").write_bytes("# größer".encode("latin-1"))
        refused(r"ours\.yaml is not text in UTF-8", tmp_path, policy="ours.yaml")


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (5, r"^gate\.yaml: policy is 5; give strict, balanced, exploratory or a YAML file"),
        ({"requirements": {}}, r"^gate\.yaml: policy is \{'requirements': \{\}\}; give strict, balanced"),
        (["strict"], r"^gate\.yaml: policy is \['strict'\]; give strict"),
        (False, r"^gate\.yaml: policy is False; give strict"),
        ("", r"^gate\.yaml: policy '' is neither a preset"),
        (".", r"^gate\.yaml: policy '\.' is neither a preset"),
    ],
    ids=repr,
)
def test_a_policy_that_is_no_name_is_refused(policy: Any, message: str) -> None:
    refused(message, policy=policy)


def test_null_is_no_policy() -> None:
    assert gate(policy=None) == gate()
