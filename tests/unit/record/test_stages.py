"""A stage runs once for one key; what stands under a key is whole."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from evalkit.errors import StageError
from evalkit.record.layout import RunFolder
from evalkit.record.stages import StageResult, content_key, file_digest, folder_digest, run_stage

INPUTS = {"digest": "d1", "seed": 1}

DIE_IN_THE_MIDDLE = """
import os, sys
from pathlib import Path
from evalkit.record.layout import RunFolder
from evalkit.record.stages import run_stage

def work(folder):
    (folder / "half.txt").write_text("half")
    os._exit(9)

run_stage(RunFolder(Path(sys.argv[1])), "train", 1, {"digest": "d1", "seed": 1}, work)
"""


class Work:
    """Writes model.txt and counts how often it was asked to."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, folder: Path) -> None:
        assert list(folder.iterdir()) == []
        self.times += 1
        (folder / "deep").mkdir()
        (folder / "deep" / "model.txt").write_text("weights")
        (folder / "numbers.json").write_text('{"loss": 0.5}')


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def train(run: RunFolder, work: Work) -> Callable[..., StageResult]:
    def staged(version: int = 1, where: RunFolder = run, **changes: object) -> StageResult:
        return run_stage(where, "train", version, {**INPUTS, **changes}, work)

    return staged


def never(folder: Path) -> None:
    pytest.fail("the stage was done again")


def test_a_stage_leaves_its_artefacts_under_its_key(run: RunFolder, train: Callable[..., StageResult]) -> None:
    result = train()
    assert result.folder == run.stage("train", content_key("train", 1, INPUTS))
    assert (result.folder / "deep" / "model.txt").read_text() == "weights"
    assert result.read("numbers.json") == {"loss": 0.5}
    written = result.read("stage.json")
    assert (written["stage"], written["key"], written["inputs"]) == ("train", result.key, INPUTS)


def test_a_finished_stage_is_found_with_the_time_that_it_took(
    run: RunFolder, train: Callable[..., StageResult]
) -> None:
    first = train()
    again = run_stage(run, "train", 1, INPUTS, never)
    assert (first.reused, again.reused) == (False, True)
    assert (again.seconds, again.finished_at, again.folder) == (first.seconds, first.finished_at, first.folder)


@pytest.mark.parametrize(
    ("version", "changes"), [(2, {}), (1, {"seed": 2}), (1, {"more": None})], ids=["version", "input", "new input"]
)
def test_a_changed_version_or_input_is_another_stage(
    version: int, changes: dict[str, object], train: Callable[..., StageResult], work: Work
) -> None:
    first = train()
    other = train(version, **changes)
    assert work.times == 2
    assert first.key != other.key
    assert first.folder.is_dir()


def test_stages_of_different_names_do_not_share_a_key(train: Callable[..., StageResult]) -> None:
    assert train().key != content_key("export", 1, INPUTS)


def test_a_stage_that_raises_leaves_nothing_under_its_key_and_is_done_anew(
    run: RunFolder, train: Callable[..., StageResult], work: Work
) -> None:
    def breaks(folder: Path) -> None:
        (folder / "half.txt").write_text("half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_stage(run, "train", 1, INPUTS, breaks)
    assert not run.stage("train", content_key("train", 1, INPUTS)).exists()
    result = train()
    assert (work.times, result.reused) == (1, False)
    assert not (result.folder / "half.txt").exists()


def test_a_stage_killed_in_the_middle_leaves_no_finished_stage_and_is_done_anew(
    run: RunFolder, train: Callable[..., StageResult], work: Work
) -> None:
    killed = subprocess.run([sys.executable, "-c", DIE_IN_THE_MIDDLE, str(run.root)], check=False)
    assert killed.returncode == 9
    assert len(list(run.root.rglob("half.txt"))) == 1
    assert not run.stage("train", content_key("train", 1, INPUTS)).exists()
    result = train()
    assert work.times == 1
    assert list(run.root.rglob("half.txt")) == []
    assert {path.name for path in result.folder.iterdir()} == {"deep", "numbers.json", "stage.json"}


def test_a_folder_without_stage_json_is_not_a_finished_stage(
    run: RunFolder, train: Callable[..., StageResult], work: Work
) -> None:
    folder = run.stage("train", content_key("train", 1, INPUTS))
    folder.mkdir(parents=True)
    (folder / "half.txt").write_text("half")
    result = train()
    assert work.times == 1
    assert not (result.folder / "half.txt").exists()


class TestAStageFinishedInARunBesideThisOne:
    def test_is_adopted_without_doing_it_again(self, run: RunFolder, train: Callable[..., StageResult]) -> None:
        first = train()
        beside = RunFolder(run.root.with_name("two"))
        adopted = run_stage(beside, "train", 1, INPUTS, never)
        assert adopted.reused
        assert adopted.folder == beside.stage("train", first.key)
        assert (adopted.seconds, adopted.finished_at) == (first.seconds, first.finished_at)
        assert folder_digest(adopted.folder) == folder_digest(first.folder)

    def test_takes_no_more_room_on_the_disk(self, run: RunFolder, train: Callable[..., StageResult]) -> None:
        first = train()
        adopted = run_stage(RunFolder(run.root.with_name("two")), "train", 1, INPUTS, never)
        for name in ("deep/model.txt", "numbers.json"):
            assert (adopted.folder / name).samefile(first.folder / name)

    def test_outlives_the_run_that_did_it(self, run: RunFolder, train: Callable[..., StageResult]) -> None:
        first = train()
        adopted = run_stage(RunFolder(run.root.with_name("two")), "train", 1, INPUTS, never)
        (first.folder / "deep" / "model.txt").unlink()
        assert (adopted.folder / "deep" / "model.txt").read_text() == "weights"

    def test_is_not_adopted_under_other_inputs(
        self, run: RunFolder, train: Callable[..., StageResult], work: Work
    ) -> None:
        train()
        train(where=RunFolder(run.root.with_name("two")), seed=2)
        assert work.times == 2

    def test_is_not_adopted_half_done(self, run: RunFolder, train: Callable[..., StageResult], work: Work) -> None:
        subprocess.run([sys.executable, "-c", DIE_IN_THE_MIDDLE, str(run.root)], check=False)
        train(where=RunFolder(run.root.with_name("two")))
        assert work.times == 1


def test_what_cannot_be_put_in_place_is_a_stage_error_with_a_question(run: RunFolder, work: Work) -> None:
    def takes_the_place_away(folder: Path) -> None:
        work(folder)
        key = folder.name.removeprefix(".").removesuffix(".unfinished")
        folder.with_name(key).write_text("a file where the folder belongs")

    with pytest.raises(StageError, match=r"could not be put in place.*is the disk full or read-only"):
        run_stage(run, "train", 1, INPUTS, takes_the_place_away)


class TestDigests:
    def test_of_a_file_is_the_sha256_of_its_bytes(self, tmp_path: Path) -> None:
        path = tmp_path / "abc"
        path.write_bytes(b"abc")
        # FIPS 180-2, appendix B.1
        assert file_digest(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    @pytest.mark.parametrize("change", ["content", "name", "more"])
    def test_of_a_folder_changes_with_every_file_and_name(self, change: str, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "one.txt").write_text("1")
        before = folder_digest(tmp_path)
        match change:
            case "content":
                (tmp_path / "a" / "one.txt").write_text("2")
            case "name":
                (tmp_path / "a" / "one.txt").rename(tmp_path / "a" / "two.txt")
            case "more":
                (tmp_path / "b.txt").write_text("")
        assert folder_digest(tmp_path) != before
