"""The Home Assistant example on a hand-made package of two languages: what is drawn, and how it is split."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import os
import sys
import zipfile
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow.parquet as pq
import pytest

pytest.importorskip("hassil")

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "home_assistant"


def load(file: str, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLE / file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


intent_rows = load("intent_rows.py", "intent_rows")
prepare = load("prepare.py", "home_assistant_prepare")

FILLERS = {
    "en": {"area": ["kitchen", "office"], "name": {"light": ["desk lamp"], "lock": ["front door"]}},
    "de": {"area": ["Küche", "Büro"], "name": {"light": ["Leselicht"], "lock": ["Haustür"]}},
}


def document(language: str, **sentences: list[str]) -> dict[str, Any]:
    return {
        "language": language,
        "intents": {
            intent: {"data": [{"sentences": texts, "requires_context": {"domain": "light"}}]}
            for intent, texts in sentences.items()
        },
        "lists": {
            "minutes": {"range": {"from": 10, "to": 30, "step": 10}},
            "color": {"values": [{"in": "(deep|dark) red", "out": "red"}]},
        },
        "expansion_rules": {"on": "(turn|switch) on"},
    }


ENGLISH = document(
    "en",
    TurnOn=[
        "<on> [the] {name}",
        "<on> lights in [the] {area}",
        "lights on in {area}",
        "make the {name} {color}",
    ],
    Timer=[
        "timer for {minutes} minutes",
        "set [a] {minutes} minute timer",
        "start ({minutes} minutes;timer)",
    ],
)
GERMAN = document(
    "de",
    TurnOn=[
        "mach [das] {name} an",
        "schalte Licht in {area} ein",
        "Licht an in {area}",
        "{name} bitte (an|ein)",
    ],
    Timer=["Timer auf {minutes} Minuten", "stelle [einen] Timer auf {minutes}", "{minutes} Minuten Timer"],
)


def draw(*documents: dict[str, Any], seed: int = 0, min_languages: int = 1) -> Any:
    return intent_rows.draw_rows(documents, FILLERS, seed=seed, min_languages=min_languages)


def texts_of(*sentences: str, seeds: int = 40) -> set[str]:
    return {
        row.text for seed in range(seeds) for row in draw(document("en", Only=[*sentences, "other"]), seed=seed).rows
    } - {"other"}


def test_no_template_and_no_sentence_is_on_both_sides() -> None:
    train, held_out = intent_rows.split_by_template(draw(ENGLISH, GERMAN).rows, seed=0)
    assert train
    assert held_out
    assert not {row.template for row in train} & {row.template for row in held_out}
    assert not {intent_rows.words_of(row.text) for row in train} & {intent_rows.words_of(row.text) for row in held_out}


def test_every_row_is_on_one_side_under_an_id_of_its_own() -> None:
    rows = draw(ENGLISH, GERMAN).rows
    train, held_out = intent_rows.split_by_template(rows, seed=0)
    assert sorted(row.id for row in [*train, *held_out]) == sorted({row.id for row in rows})


def test_three_in_ten_templates_of_each_intent_and_language_are_held_out() -> None:
    sentences = [f"phrase number {i}" for i in range(10)]
    english = document("en", A=sentences, B=[f"{text} please" for text in sentences])
    german = document("de", A=[f"Satz {i}" for i in range(10)])
    _, held_out = intent_rows.split_by_template(draw(english, german).rows, seed=0)
    strata = Counter((row.intent, row.language) for row in held_out)
    assert strata == {("A", "en"): 3, ("B", "en"): 3, ("A", "de"): 3}


def test_lone_template_of_an_intent_goes_to_training() -> None:
    rows = [row for row in draw(ENGLISH).rows if row.intent == "Timer"]
    lone = [row for row in rows if row.template == rows[0].template]
    train, held_out = intent_rows.split_by_template(lone, seed=0)
    assert (len(train), held_out) == (len(lone), [])


def test_same_seed_draws_and_splits_the_same_rows() -> None:
    first, second = (intent_rows.split_by_template(draw(ENGLISH, GERMAN, seed=3).rows, seed=3) for _ in range(2))
    assert first == second


def test_another_seed_draws_other_rows() -> None:
    assert draw(ENGLISH, GERMAN, seed=1).rows != draw(ENGLISH, GERMAN, seed=2).rows


def test_draws_of_a_template_do_not_depend_on_the_other_languages() -> None:
    together = [row for row in draw(ENGLISH, GERMAN).rows if row.language == "de"]
    assert together == draw(GERMAN).rows


def test_rows_of_a_template_share_its_cluster_label_and_language() -> None:
    rows = draw(ENGLISH, GERMAN).rows
    kinds = {(row.template, row.intent, row.language) for row in rows}
    assert len(kinds) == len({row.template for row in rows}) == 4 + 3 + 4 + 3
    assert max(Counter(row.template for row in rows).values()) <= intent_rows.DRAWS_PER_TEMPLATE
    assert {row.intent for row in rows if "minute" in row.text.casefold()} == {"Timer"}


def test_optional_words_rules_and_names_of_the_right_device_are_drawn() -> None:
    assert texts_of("<on> [the] {name}") == {
        "turn on desk lamp",
        "turn on the desk lamp",
        "switch on desk lamp",
        "switch on the desk lamp",
    }


def test_numbers_come_from_the_whole_range_in_its_steps() -> None:
    assert texts_of("wait {minutes}") == {"wait 10", "wait 20", "wait 30"}


def test_list_values_may_be_templates_themselves() -> None:
    assert texts_of("go {color}") == {"go deep red", "go dark red"}


def test_permutation_is_drawn_in_every_order() -> None:
    assert texts_of("(now;go)") == {"now go", "go now"}


def test_template_repeated_for_several_devices_counts_once_with_all_of_them() -> None:
    twice = document("en", Is=["is {name} fine", "how is {name}"])
    twice["intents"]["Is"]["data"].append({"sentences": ["is {name} fine"], "requires_context": {"domain": ["lock"]}})
    rows = [row for seed in range(20) for row in draw(twice, seed=seed).rows]
    assert len({row.template for row in rows}) == 2
    assert {row.text for row in rows} >= {"is desk lamp fine", "is front door fine"}


def test_template_under_two_intents_is_left_out_and_counted() -> None:
    drawn = draw(document("en", Start=["go {name}", "start", "begin"], Stop=["go {name}", "stop", "halt"]))
    assert {row.text for row in drawn.rows} == {"start", "begin", "stop", "halt"}
    assert drawn.left_out["templates under two intents"] == 2


def test_sentence_under_two_intents_is_left_out_and_counted() -> None:
    drawn = draw(document("en", Start=["Go!", "start"], Stop=["go", "stop"]))
    assert {row.text for row in drawn.rows} == {"start", "stop"}
    assert drawn.left_out["sentences under two intents"] == 1


def test_sentence_of_two_templates_is_kept_once_and_counted() -> None:
    drawn = draw(document("en", Start=["go now", "Go, now!", "start"]))
    assert [row.text for row in drawn.rows] == ["go now", "start"]
    assert drawn.left_out["repeated sentences"] == 1


def test_intent_with_two_templates_in_too_few_languages_is_left_out_and_counted() -> None:
    english = document("en", Wide=["one", "two"], Narrow=["three", "four"])
    german = document("de", Wide=["eins", "zwei"], Narrow=["drei"])
    drawn = draw(english, german, min_languages=2)
    assert {row.intent for row in drawn.rows} == {"Wide"}
    assert drawn.left_out["templates of intents in too few languages"] == 3


@pytest.mark.parametrize(("words", "bucket"), [(1, "short"), (4, "short"), (5, "medium"), (7, "medium"), (8, "long")])
def test_length_goes_by_the_number_of_words(words: int, bucket: str) -> None:
    assert intent_rows.length_of(" ".join(["word"] * words)) == bucket


def test_slot_without_values_is_named_in_the_error() -> None:
    with pytest.raises(intent_rows.SlotError, match=r"Only \(en\): \{planet\} has no value"):
        draw(document("en", Only=["fly to {planet}", "land"]))


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of the two languages in the cache, its digest in place of the real one's."""
    path = tmp_path / "cache" / prepare.PACKAGE.file_name
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        for language in (ENGLISH, GERMAN):
            archive.writestr(f"home_assistant_intents/data/{language['language']}.json", json.dumps(language))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(prepare, "PACKAGE", dataclasses.replace(prepare.PACKAGE, sha256=digest))
    monkeypatch.setattr(prepare, "LANGUAGES", ("en", "de"))
    monkeypatch.setattr(prepare, "MIN_LANGUAGES", 2)
    return path


def run(out: Path, wheel: Path, seed: int = 0) -> int:
    return prepare.main(["--out", str(out), "--cache", str(wheel.parent), "--seed", str(seed)])


def test_files_hold_the_rows_that_the_card_counts(tmp_path: Path, wheel: Path) -> None:
    assert run(tmp_path / "out", wheel) == 0
    card = json.loads((tmp_path / "out" / "card.json").read_text(encoding="utf-8"))
    for side in ("train", "held_out"):
        table = pq.read_table(tmp_path / "out" / f"{side}.parquet")
        assert table.column_names == ["id", "text", "intent", "language", "template", "length"]
        assert table.num_rows == card["rows"][side] == sum(card["rows_by"]["language"][side].values())
    assert card["intents"] == ["Timer", "TurnOn"]
    assert not list((tmp_path / "out").glob("*.partial"))


def test_same_seed_writes_the_same_bytes(tmp_path: Path, wheel: Path) -> None:
    run(tmp_path / "a", wheel)
    run(tmp_path / "b", wheel)
    for name in ("train.parquet", "held_out.parquet", "card.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_second_run_leaves_the_files_alone(tmp_path: Path, wheel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path / "out", wheel)
    wheel.unlink()
    assert run(tmp_path / "out", wheel) == 0
    assert "nothing to do" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["train.parquet", "held_out.parquet", "card.json"])
def test_damaged_or_missing_file_is_made_again(tmp_path: Path, wheel: Path, name: str) -> None:
    run(tmp_path / "out", wheel)
    whole = (tmp_path / "out" / name).read_bytes()
    (tmp_path / "out" / name).write_bytes(whole[:20])
    assert not prepare.is_complete(tmp_path / "out", 0)
    (tmp_path / "out" / name).unlink()
    assert run(tmp_path / "out", wheel) == 0
    assert (tmp_path / "out" / name).read_bytes() == whole


def test_another_seed_is_not_taken_for_complete(tmp_path: Path, wheel: Path) -> None:
    run(tmp_path / "out", wheel, seed=1)
    assert not prepare.is_complete(tmp_path / "out", 2)


def test_wheel_of_another_digest_ends_with_one_line_and_status_2(
    tmp_path: Path, wheel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel.write_bytes(b"another wheel")
    assert run(tmp_path / "out", wheel) == 2
    error = capsys.readouterr().err
    assert prepare.PACKAGE.sha256 in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_missing_network_ends_with_one_line_and_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert prepare.main(["--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "could not be downloaded" in error
    assert error.count("\n") == 1


def test_every_language_has_values_for_the_same_slots_and_devices() -> None:
    values = json.loads((EXAMPLE / "slot_values.json").read_text(encoding="utf-8"))
    assert tuple(values) == prepare.LANGUAGES
    assert len({tuple(slots) for slots in values.values()}) == 1
    assert len({tuple(slots["name"]) for slots in values.values()}) == 1
