"""An override is a record of its own: who, when, why and of what; the first verdict is never changed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from evalkit.decision.verdict import Outcome
from evalkit.errors import RunFolderError
from evalkit.record.layout import RunFolder, claim
from evalkit.record.override import (
    Override,
    override_path,
    read_overrides,
    standing_outcome,
    write_override,
)
from evalkit.record.run_record import RunRecord, write_record
from evalkit.record.stages import file_digest

WHY, WHO = "a pilot on 1 % of the traffic", "Ada, release lead"
Process = Callable[..., AbstractContextManager[subprocess.Popen[str]]]

HOLD_THE_LOCK = """
import sys
from pathlib import Path
from evalkit.record.layout import RunFolder, locked
with locked(RunFolder(Path(sys.argv[1]))):
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def finished(run: RunFolder, record: RunRecord) -> RunFolder:
    """A finished run, whose verdict is INCONCLUSIVE."""
    claim(run, record.spec, "d1")
    write_record(run, record)
    return run


def overridden(run: RunFolder, outcome: Outcome = Outcome.GO, reason: str = WHY, by: str = WHO) -> Override:
    return write_override(run.root, outcome, reason, by)


def judged_again(run: RunFolder) -> None:
    """What a second `evalkit check` leaves that measured something anew: another verdict."""
    for path in (run.record, run.verdict):
        path.write_text(path.read_text(encoding="utf-8").replace("INCONCLUSIVE", "NO-GO"), encoding="utf-8")


def found_finished(run: RunFolder) -> None:
    """What a second `evalkit check` leaves that found every stage finished: the same verdict at another time."""
    run.record.write_text(run.record.read_text(encoding="utf-8").replace("10:01:00Z", "10:02:00Z"), encoding="utf-8")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_says_who_when_why_and_of_which_verdict(finished: RunFolder) -> None:
    written = overridden(finished)
    assert (written.number, written.stale) == (1, False)
    stated = json.loads((finished.root / "overrides" / "0001.json").read_text(encoding="utf-8"))
    assert stated.pop("at").endswith("Z")
    assert stated == {
        "outcome": "GO",
        "reason": WHY,
        "by": WHO,
        "of_verdict_sha256": file_digest(finished.verdict),
        "of_outcome": "INCONCLUSIVE",
    }


def test_nothing_but_its_own_file_is_written_or_changed(finished: RunFolder) -> None:
    before = contents(finished.root)
    overridden(finished)
    after = contents(finished.root)
    del after["overrides/0001.json"]
    after.pop(".lock")
    assert after == before


def test_the_next_one_has_the_next_number_and_leaves_the_first_as_it_was(finished: RunFolder) -> None:
    first = overridden(finished)
    before = override_path(finished.root, 1).read_bytes()
    second = overridden(finished, Outcome.NO_GO, reason="the pilot failed")
    assert override_path(finished.root, 1).read_bytes() == before
    assert read_overrides(finished.root) == (first, second)
    assert second.number == 2
    assert second.statement.of_outcome is Outcome.INCONCLUSIVE


def test_a_number_is_not_given_twice_where_one_was_removed(finished: RunFolder) -> None:
    overridden(finished)
    overridden(finished, Outcome.NO_GO)
    override_path(finished.root, 1).unlink()
    assert overridden(finished).number == 3


@pytest.mark.parametrize("empty", ["", " ", "\n\t"], ids=repr)
@pytest.mark.parametrize("field", ["reason", "by"])
def test_it_needs_a_reason_and_a_name(finished: RunFolder, field: str, empty: str) -> None:
    with pytest.raises(ValueError, match=rf"--{field} is empty; an override says why and who answers for it"):
        overridden(finished, **{field: empty})
    assert not (finished.root / "overrides").exists()


def test_a_run_without_a_record_is_refused_and_left_as_it_is(run: RunFolder) -> None:
    with pytest.raises(RunFolderError, match=r"holds no finished run \(no record\.json\); run `evalkit check` first"):
        overridden(run)
    assert not run.root.exists()
    claim(run, {"seed": 1}, "d1")
    with pytest.raises(RunFolderError, match="holds no finished run"):
        overridden(run)
    assert list(contents(run.root)) == ["spec.json"]


def test_a_run_in_use_is_refused(finished: RunFolder, process: Process) -> None:
    with process(HOLD_THE_LOCK, finished.root), pytest.raises(RunFolderError, match="is in use by process"):
        overridden(finished)
    assert read_overrides(finished.root) == ()


def test_the_outcome_that_stands_already_is_nothing_to_override(finished: RunFolder) -> None:
    message = "already; there is nothing to override"
    with pytest.raises(RunFolderError, match=f"is INCONCLUSIVE {message}"):
        overridden(finished, Outcome.INCONCLUSIVE)
    overridden(finished)
    with pytest.raises(RunFolderError, match=f"is GO {message}"):
        overridden(finished, reason="once more")
    assert len(read_overrides(finished.root)) == 1


def test_it_may_be_withdrawn_to_the_first_outcome(finished: RunFolder) -> None:
    overridden(finished)
    overridden(finished, Outcome.INCONCLUSIVE, reason="withdrawn")
    assert standing_outcome(Outcome.INCONCLUSIVE, read_overrides(finished.root)) is Outcome.INCONCLUSIVE


def test_it_is_stale_once_the_run_was_judged_again_and_then_says_nothing(finished: RunFolder) -> None:
    overridden(finished)
    assert standing_outcome(Outcome.INCONCLUSIVE, read_overrides(finished.root)) is Outcome.GO
    judged_again(finished)
    (stale,) = read_overrides(finished.root)
    assert stale.stale
    assert stale.statement.outcome is Outcome.GO
    assert standing_outcome(Outcome.INCONCLUSIVE, (stale,)) is Outcome.INCONCLUSIVE
    assert overridden(finished).number == 2, "the same decision may be taken anew of the new record"
    assert [each.stale for each in read_overrides(finished.root)] == [True, False]


def test_it_stands_where_the_same_verdict_is_only_given_again(finished: RunFolder) -> None:
    overridden(finished)
    found_finished(finished)
    assert [each.stale for each in read_overrides(finished.root)] == [False]


def test_it_is_stale_where_the_verdict_is_gone(finished: RunFolder) -> None:
    overridden(finished)
    finished.verdict.unlink()
    assert [each.stale for each in read_overrides(finished.root)] == [True]


@pytest.mark.parametrize("damaged", ["", "{}", "[]", '{"outcome": "GO"', '{"outcome": "MAYBE"}'], ids=repr)
def test_a_damaged_one_is_refused_by_its_file_and_never_passed_over(finished: RunFolder, damaged: str) -> None:
    overridden(finished)
    path = override_path(finished.root, 1)
    path.write_text(damaged)
    for use in (lambda: read_overrides(finished.root), lambda: overridden(finished, Outcome.NO_GO)):
        with pytest.raises(RunFolderError, match=r"overrides/0001\.json is damaged; restore it"):
            use()
    assert path.read_text() == damaged


def test_what_is_no_override_is_not_read_as_one(finished: RunFolder) -> None:
    overridden(finished)
    for name in ("notes.txt", ".0002.json.4711", "0002.json.bak", "2.json"):
        (finished.root / "overrides" / name).write_text("not an override")
    assert [each.number for each in read_overrides(finished.root)] == [1]


def test_words_are_kept_without_the_spaces_around_them(finished: RunFolder) -> None:
    stated = overridden(finished, reason="  für “Ada”\n", by=" B ").statement
    assert (stated.reason, stated.by) == ("für “Ada”", "B")
