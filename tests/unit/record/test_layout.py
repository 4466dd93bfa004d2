"""A run folder answers one spec, and one process at a time works in it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from evalkit.errors import RunFolderError
from evalkit.record.layout import RunFolder, claim, locked, write_json, write_text

Process = Callable[..., AbstractContextManager[subprocess.Popen[str]]]

HOLD_THE_LOCK = """
import sys
from pathlib import Path
from evalkit.record.layout import RunFolder, locked
with locked(RunFolder(Path(sys.argv[1]))):
    print("ready", flush=True)
    sys.stdin.read()
"""


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestClaim:
    def test_writes_the_spec_its_digest_and_the_time_before_anything_else(self, run: RunFolder) -> None:
        recorded = claim(run, {"seed": 1}, "digest-1")
        assert recorded == json.loads(run.spec.read_text())
        assert (recorded["spec"], recorded["digest"]) == ({"seed": 1}, "digest-1")
        assert recorded["recorded_at"].endswith("Z")
        assert list(contents(run.root)) == ["spec.json"]

    def test_of_the_same_spec_again_keeps_the_first_time(self, run: RunFolder) -> None:
        first = claim(run, {"seed": 1}, "digest-1")
        first["recorded_at"] = "2020-01-01T00:00:00Z"
        write_json(run.spec, first)
        assert claim(run, {"seed": 1}, "digest-1")["recorded_at"] == "2020-01-01T00:00:00Z"

    def test_of_another_spec_is_refused_by_both_digests_and_changes_nothing(self, run: RunFolder) -> None:
        claim(run, {"seed": 1}, "1" * 64)
        before = contents(run.root)
        with pytest.raises(RunFolderError, match=r"run of another spec .1{12}, this one is 2{12}.*another --run"):
            claim(run, {"seed": 2}, "2" * 64)
        assert contents(run.root) == before

    def test_of_somebody_elses_folder_is_refused_and_leaves_it_untouched(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.tex").write_text("years of work")
        with pytest.raises(RunFolderError, match="is not empty and not a run folder; give another --run folder"):
            claim(RunFolder(tmp_path), {"seed": 1}, "digest-1")
        assert contents(tmp_path) == {"thesis.tex": b"years of work"}

    def test_under_the_lock_leaves_somebody_elses_folder_untouched_too(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.tex").write_text("years of work")
        (tmp_path / ".lock").write_text("another program's lock")
        with pytest.raises(RunFolderError), locked(RunFolder(tmp_path)):
            claim(RunFolder(tmp_path), {"seed": 1}, "digest-1")
        assert contents(tmp_path) == {"thesis.tex": b"years of work", ".lock": b"another program's lock"}

    def test_of_an_empty_folder_with_only_the_lock_in_it_is_granted(self, run: RunFolder) -> None:
        with locked(run):
            assert claim(run, {"seed": 1}, "digest-1")["digest"] == "digest-1"

    def test_is_granted_after_a_process_was_killed_while_it_wrote_the_spec(self, run: RunFolder) -> None:
        run.root.mkdir(parents=True)
        (run.root / ".spec.json.4711").write_text('{"digest": "dig')
        assert claim(run, {"seed": 1}, "digest-1")["digest"] == "digest-1"

    @pytest.mark.parametrize("damaged", ["", '{"digest": "dig', "[]", "{}"], ids=repr)
    def test_of_a_folder_with_a_damaged_spec_is_refused_with_a_remedy(self, damaged: str, run: RunFolder) -> None:
        run.root.mkdir(parents=True)
        run.spec.write_text(damaged)
        with pytest.raises(RunFolderError, match=r"spec\.json is damaged.*--run"):
            claim(run, {"seed": 1}, "digest-1")

    def test_of_a_path_that_is_a_file_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "run"
        path.write_text("not a folder")
        with pytest.raises(RunFolderError, match=r"run.*--run"):
            claim(RunFolder(path), {"seed": 1}, "digest-1")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/dev/null/run", "Not a directory"),
        ("/proc/run", "No such file or directory|Permission denied"),
        ("a file/run", "Not a directory"),
        ("x" * 300, "File name too long"),
    ],
    ids=["under a device", "in a file system of the kernel", "under a file", "a name too long"],
)
def test_a_place_where_no_folder_can_be_made_is_refused_in_one_line(tmp_path: Path, path: str, why: str) -> None:
    (tmp_path / "a file").write_text("not a folder")
    folder = RunFolder(tmp_path / path)
    message = rf"cannot be a run folder \(({why})\); give another --run folder"
    with pytest.raises(RunFolderError, match=message):
        claim(folder, {"seed": 1}, "digest-1")
    with pytest.raises(RunFolderError, match=message), locked(folder):
        pytest.fail("there is nothing to lock")


def test_a_folder_whose_lock_cannot_be_written_is_refused_in_one_line(run: RunFolder) -> None:
    """Root may write anywhere, so the lock is a folder here, which cannot be opened for writing."""
    (run.root / ".lock").mkdir(parents=True)
    with pytest.raises(RunFolderError, match=r"cannot be a run folder \(Is a directory\)"), locked(run):
        pytest.fail("there is nothing to lock")


class TestLock:
    def test_of_another_process_is_respected_and_its_number_named(self, run: RunFolder, process: Process) -> None:
        with (
            process(HOLD_THE_LOCK, run.root) as holder,
            pytest.raises(RunFolderError, match=rf"is in use by process {holder.pid}; wait for it"),
            locked(run),
        ):
            pytest.fail("two processes hold one lock")

    def test_is_free_again_once_its_holder_is_killed(self, run: RunFolder, process: Process) -> None:
        with process(HOLD_THE_LOCK, run.root) as holder:
            holder.kill()
            holder.wait(10)
            with locked(run):
                assert (run.root / ".lock").read_text() == str(os.getpid())

    def test_is_free_again_once_its_holder_is_done(self, run: RunFolder) -> None:
        for _ in range(2):
            with locked(run):
                pass

    def test_is_free_again_after_an_error_inside(self, run: RunFolder) -> None:
        with pytest.raises(ZeroDivisionError), locked(run):
            raise ZeroDivisionError
        with locked(run):
            pass

    def test_of_one_run_does_not_lock_the_run_beside_it(self, run: RunFolder, process: Process) -> None:
        with process(HOLD_THE_LOCK, run.root), locked(RunFolder(run.root.with_name("two"))):
            pass


class TestWriting:
    @pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
    def test_json_without_numbers_that_are_none(self, value: float, tmp_path: Path) -> None:
        path = tmp_path / "a.json"
        with pytest.raises(ValueError, match="not JSON compliant"):
            write_json(path, {"nested": [value]})
        assert list(tmp_path.iterdir()) == []

    def test_replaces_a_file_as_a_whole_and_leaves_nothing_beside_it(self, tmp_path: Path) -> None:
        path = tmp_path / "a.txt"
        write_text(path, "a long first version")
        write_text(path, "größer")
        assert contents(tmp_path) == {"a.txt": "größer".encode()}
