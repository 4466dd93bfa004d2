"""Every use of a held-out set is counted once, durably, and spends its planned part of the error."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from evalkit.decision.verdict import Outcome
from evalkit.errors import RunFolderError, SpecError
from evalkit.record.looks import Look, LooksReport, close_look, looks_at, open_look
from evalkit.record.looks_ledger import LEDGER, Question
from evalkit.spec.requirements import Looks
from evalkit.stats.spending import confidence_at

QUESTION = {"held_out": "h1", "spec": "s1", "teacher": "t1", "student": "m1"}
POCOCK = Looks(planned=3)

VERDICT_OF_NO_LOOK = (
    b'{"event": "decided", "question": {"held_out": "h9", "spec": "s", "teacher": "t", "student": "m"}, '
    b'"run": "r", "at": "2026-11-01T00:00:00Z", "outcome": "GO"}'
)
OPEN_MANY = """
import sys
from pathlib import Path
from evalkit.decision.verdict import Outcome
from evalkit.record.looks import close_look, open_look
from evalkit.record.looks_ledger import Question

workspace, name = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.read()
for each in range(40):
    question = Question(held_out="h1", spec="s1", teacher="t1", student=f"{name}-{each}")
    look = open_look(workspace, question, name, 0.95, None)
    close_look(look, Outcome.GO)
    print(look.number, flush=True)
"""

Open = Callable[..., Look]


@pytest.fixture
def look(tmp_path: Path) -> Open:
    """Opens the look of QUESTION with some of it changed."""

    def opened(
        *, run: str = "run-1", confidence: float = 0.95, looks: Looks | None = None, to: Path = tmp_path, **changes: str
    ) -> Look:
        return open_look(to, Question(**QUESTION | changes), run, confidence, looks)

    return opened


def lines(workspace: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (workspace / LEDGER).read_text(encoding="utf-8").splitlines()]


class TestCounting:
    def test_begins_at_1_without_a_correction(self, look: Open) -> None:
        first = look()
        assert (first.number, first.planned, first.confidence, first.earlier) == (1, None, 0.95, ())
        assert first.exhausted is None

    @pytest.mark.parametrize("part", ["spec", "teacher", "student"])
    def test_goes_on_with_each_other_question_to_the_same_rows(self, look: Open, part: str) -> None:
        numbers = [look(**{part: f"other-{each}"}).number for each in range(3)]
        assert numbers == [1, 2, 3]

    def test_does_not_go_on_with_the_same_question(self, look: Open, tmp_path: Path) -> None:
        look()
        look(student="m2")
        before = (tmp_path / LEDGER).read_bytes()
        again = look(run="run-9")
        assert (again.number, again.earlier) == (1, ())
        assert look(student="m2").number == 2
        assert (tmp_path / LEDGER).read_bytes() == before

    def test_is_of_each_held_out_set_by_itself(self, look: Open) -> None:
        look()
        look(student="m2")
        assert look(held_out="h2").number == 1
        assert [each.question.student for each in look(student="m3").earlier] == ["m1", "m2"]

    def test_is_of_each_workspace_by_itself(self, look: Open, tmp_path: Path) -> None:
        look()
        assert look(student="m2", to=tmp_path / "not" / "there" / "yet").number == 1

    def test_counts_a_look_that_never_came_to_a_verdict(self, look: Open) -> None:
        look()
        second = look(student="m2")
        assert second.number == 2
        assert [each.outcomes for each in second.earlier] == [()]
        assert second.report().verdicts_before == 0

    def test_tells_the_outcomes_of_earlier_looks(self, look: Open) -> None:
        for student, outcome in (("m1", Outcome.NO_GO), ("m2", Outcome.INCONCLUSIVE)):
            close_look(look(student=student), outcome)
        look(student="crashed")
        report = look(student="m3").report()
        assert [each.outcomes for each in report.earlier] == [(Outcome.NO_GO,), (Outcome.INCONCLUSIVE,), ()]
        assert (report.number, report.verdicts_before) == (4, 2)

    def test_keeps_both_answers_of_a_question_that_was_answered_differently_again(self, look: Open) -> None:
        for outcome in (Outcome.NO_GO, Outcome.NO_GO, Outcome.GO, Outcome.GO):
            close_look(look(), outcome)
        (first,) = look(student="m2").earlier
        assert first.outcomes == (Outcome.NO_GO, Outcome.GO)

    def test_is_shown_without_being_done(self, look: Open, tmp_path: Path) -> None:
        assert looks_at(tmp_path, "h1") == ()
        assert not (tmp_path / LEDGER).exists()
        close_look(look(), Outcome.GO)
        before = (tmp_path / LEDGER).read_bytes()
        (only,) = looks_at(tmp_path, "h1")
        assert (only.number, only.run, only.outcomes) == (1, "run-1", (Outcome.GO,))
        assert looks_at(tmp_path, "h2") == ()
        assert (tmp_path / LEDGER).read_bytes() == before


class TestTheLedger:
    def test_has_a_line_a_look_and_a_line_an_outcome(self, look: Open, tmp_path: Path) -> None:
        close_look(look(looks=POCOCK), Outcome.INCONCLUSIVE)
        opened, decided = lines(tmp_path)
        assert (opened["event"], opened["question"], opened["run"]) == ("opened", QUESTION, "run-1")
        assert opened["plan"] == {"planned": 3, "spending": "pocock", "confidence": 0.95}
        assert (decided["event"], decided["question"], decided["outcome"]) == ("decided", QUESTION, "INCONCLUSIVE")
        assert opened["at"] <= decided["at"]
        assert decided["at"].endswith("Z")

    def test_is_only_ever_added_to(self, look: Open, tmp_path: Path) -> None:
        before = b""
        for student in ("m1", "m2", "m1", "m3"):
            close_look(look(student=student), Outcome.GO)
            now = (tmp_path / LEDGER).read_bytes()
            assert now.startswith(before)
            before = now

    def test_counts_every_look_of_runs_at_the_same_time(self, tmp_path: Path, process: Callable[..., Any]) -> None:
        with process(OPEN_MANY, tmp_path, "a") as one, process(OPEN_MANY, tmp_path, "b") as two:
            for child in (one, two):
                child.stdin.close()
            given = [[int(line) for line in child.stdout] for child in (one, two)]
            assert [child.wait(60) for child in (one, two)] == [0, 0]
        assert sorted(given[0] + given[1]) == list(range(1, 81)), "two looks have one number, and its error twice"
        past = looks_at(tmp_path, "h1")
        assert [each.number for each in past] == list(range(1, 81))
        assert {each.question.student for each in past} == {f"{name}-{each}" for name in "ab" for each in range(40)}
        assert {each.outcomes for each in past} == {(Outcome.GO,)}

    @pytest.mark.parametrize(
        "damage",
        [
            b'{"event": "opened", "ques',
            b"",
            b"{}",
            b"[]",
            b"\xff\xfe",
            b'{"event": "forgotten"}',
            VERDICT_OF_NO_LOOK,
        ],
        ids=["torn", "blank", "empty", "list", "no text", "unknown event", "a verdict of no look"],
    )
    @pytest.mark.parametrize("where", [0, 1, 2])
    def test_that_is_damaged_is_refused_by_its_line_and_left_as_it_is(
        self, look: Open, tmp_path: Path, damage: bytes, where: int
    ) -> None:
        opened = look()
        look(student="m2", held_out="another set")
        kept = (tmp_path / LEDGER).read_bytes().splitlines()
        damaged = b"\n".join([*kept[:where], damage, *kept[where:]]) + b"\n"
        (tmp_path / LEDGER).write_bytes(damaged)
        message = rf"{LEDGER} is damaged in line {where + 1}; mend that line or restore the file: it is not begun anew"
        for use in (
            lambda: look(student="m3"),
            lambda: close_look(opened, Outcome.GO),
            lambda: looks_at(tmp_path, "h1"),
        ):
            with pytest.raises(RunFolderError, match=message):
                use()
        assert (tmp_path / LEDGER).read_bytes() == damaged

    def test_with_an_outcome_that_is_none_is_damaged(self, look: Open, tmp_path: Path) -> None:
        close_look(look(), Outcome.GO)
        path = tmp_path / LEDGER
        path.write_text(path.read_text().replace('"GO"', '"MAYBE"'))
        with pytest.raises(RunFolderError, match=r"damaged in line 2"):
            look()

    def test_without_the_look_that_is_to_be_decided_is_refused(self, look: Open, tmp_path: Path) -> None:
        opened = look()
        (tmp_path / LEDGER).unlink()
        with pytest.raises(RunFolderError, match=r"looks\.jsonl no longer has look 1, which this run opened; restore"):
            close_look(opened, Outcome.GO)

    def test_whose_last_line_lost_its_end_of_line_is_not_glued_to_the_next(self, look: Open, tmp_path: Path) -> None:
        look()
        path = tmp_path / LEDGER
        path.write_bytes(path.read_bytes().removesuffix(b"\n"))
        assert look(student="m2").number == 2
        assert [line["question"]["student"] for line in lines(tmp_path)] == ["m1", "m2"]

    def test_that_cannot_be_written_stops_the_gate(self, look: Open, tmp_path: Path) -> None:
        (tmp_path / LEDGER).mkdir()
        with pytest.raises(RunFolderError, match=r"looks\.jsonl cannot be read and added to .*--run folder"):
            look()
        with pytest.raises(RunFolderError, match=r"looks\.jsonl cannot be read"):
            looks_at(tmp_path, "h1")

    def test_on_a_full_disk_keeps_no_half_of_a_line(
        self, look: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A real limit on the size of files, in a process of its own: the write is cut as by a full disk."""
        look()
        before = (tmp_path / LEDGER).read_bytes()
        script = (
            "import resource, signal, sys; from pathlib import Path\n"
            "from evalkit.record.looks import open_look; from evalkit.record.looks_ledger import Question\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) + 20}, resource.RLIM_INFINITY))\n"
            "question = Question(held_out='h1', spec='s', teacher='t', student='m2')\n"
            "open_look(Path(sys.argv[1]), question, 'r', 0.95, None)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert "RunFolderError" in done.stderr
        assert "cannot be read and added to" in done.stderr
        assert (tmp_path / LEDGER).read_bytes() == before


class TestPlannedLooks:
    @pytest.mark.parametrize("spending", ["pocock", "obrien_fleming"])
    def test_are_each_decided_at_the_confidence_of_their_number(self, look: Open, spending: Any) -> None:
        plan = Looks(planned=3, spending=spending)
        opened = [look(student=f"m{each}", looks=plan) for each in range(4)]
        assert [each.confidence for each in opened] == [
            *(confidence_at(number, 3, 0.95, spending) for number in (1, 2, 3)),
            None,
        ]
        assert all(each.confidence > 0.95 for each in opened[:3] if each.confidence is not None)

    @pytest.mark.parametrize("spending", ["pocock", "obrien_fleming"])
    def test_spend_no_more_than_the_whole_error_together(self, look: Open, spending: Any) -> None:
        plan = Looks(planned=5, spending=spending)
        spent = [1 - (look(student=f"m{each}", looks=plan).confidence or 1) for each in range(7)]
        assert sum(spent) == pytest.approx(0.05, abs=1e-12)

    def test_of_one_is_the_plain_confidence(self, look: Open) -> None:
        assert look(looks=Looks(planned=1)).confidence == pytest.approx(0.95, abs=1e-12)

    def test_beyond_the_plan_have_no_confidence_and_say_why(self, look: Open) -> None:
        for student in ("m1", "m2", "m3"):
            assert look(student=student, looks=POCOCK).exhausted is None
        beyond = look(student="m4", looks=POCOCK)
        assert (beyond.number, beyond.planned, beyond.confidence) == (4, 3, None)
        assert beyond.exhausted == (
            "this is look 4 at a held-out set that was planned for 3, and no error is left to spend; hold out new rows"
        )

    def test_run_again_are_decided_as_the_first_time(self, look: Open) -> None:
        first = [look(student=f"m{each}", looks=POCOCK) for each in range(4)]
        assert [look(student=f"m{each}", looks=POCOCK) for each in range(4)] == first

    @pytest.mark.parametrize(
        ("confidence", "plan"),
        [(0.95, Looks(planned=4)), (0.95, Looks(planned=3, spending="obrien_fleming")), (0.9, POCOCK)],
        ids=["planned", "spending", "confidence"],
    )
    def test_under_another_plan_are_refused_and_not_counted(
        self, look: Open, tmp_path: Path, confidence: float, plan: Looks
    ) -> None:
        look(looks=POCOCK)
        before = (tmp_path / LEDGER).read_bytes()
        with pytest.raises(
            SpecError,
            match=r"look 1 at data\.held_out \(run run-1\) was under the plan 3 \(pocock, confidence 0\.95\); a plan",
        ):
            look(student="m2", looks=plan, confidence=confidence)
        assert (tmp_path / LEDGER).read_bytes() == before

    def test_after_one_without_a_plan_are_refused_since_it_spent_everything(self, look: Open) -> None:
        look()
        with pytest.raises(SpecError, match=r"look 1 at data\.held_out was without a plan and spent all of the error"):
            look(student="m2", looks=POCOCK)
        assert look(student="m2", looks=POCOCK, held_out="new rows").number == 1

    @pytest.mark.parametrize("used", [1, 3])
    def test_are_not_forgotten_when_the_plan_is_removed_whether_or_not_they_are_used_up(
        self, look: Open, tmp_path: Path, used: int
    ) -> None:
        for number in range(used):
            look(student=f"m{number}", looks=POCOCK)
        before = (tmp_path / LEDGER).read_bytes()
        with pytest.raises(
            SpecError,
            match=r"requirements\.looks is not stated, but look 1 at data\.held_out \(run run-1\) was under the plan 3 "
            r"\(pocock, confidence 0\.95\); a plan holds from the first look to the last: restore it, or hold out new",
        ):
            look(student="another")
        assert (tmp_path / LEDGER).read_bytes() == before
        assert look(student="another", held_out="new rows").confidence == 0.95


def test_the_report_goes_into_a_record_and_back(look: Open) -> None:
    close_look(look(looks=POCOCK), Outcome.NO_GO)
    report = look(student="m2", looks=POCOCK).report()
    assert (report.number, report.planned, report.spending) == (2, 3, "pocock")
    assert report.asked_confidence == 0.95
    assert report.confidence == confidence_at(2, 3, 0.95, "pocock")
    adapter = TypeAdapter(LooksReport)
    assert adapter.validate_json(adapter.dump_json(report)) == report


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("12345"), st.booleans()), max_size=25))
def test_numbers_are_those_of_first_sight_whatever_the_order(asked: list[tuple[str, str, bool]]) -> None:
    import tempfile

    seen: dict[str, list[str]] = {"a": [], "b": []}
    with tempfile.TemporaryDirectory() as folder:
        for held_out, student, decided in asked:
            if student not in seen[held_out]:
                seen[held_out].append(student)
            question = Question(held_out=held_out, spec="s", teacher="t", student=student)
            opened = open_look(Path(folder), question, "r", 0.95, None)
            assert opened.number == seen[held_out].index(student) + 1
            assert [each.question.student for each in opened.earlier] == seen[held_out][: opened.number - 1]
            if decided:
                close_look(opened, Outcome.GO)
