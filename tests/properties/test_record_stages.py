"""What must hold of every content key, every digest and every interrupted stage."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evalkit.record.layout import RunFolder
from evalkit.record.stages import FINISHED, content_key, folder_digest, run_stage

names = st.text("abcdefghij-", min_size=1, max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
inputs = st.dictionaries(st.text(max_size=8), values, max_size=5)


def reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return [reversed_keys(each) for each in value] if isinstance(value, list) else value


@given(names, st.integers(1, 9), inputs)
def test_a_key_does_not_depend_on_the_order_in_which_inputs_are_named(
    name: str, version: int, given_inputs: dict[str, Any]
) -> None:
    assert content_key(name, version, reversed_keys(given_inputs)) == content_key(name, version, given_inputs)


@given(inputs, inputs)
def test_different_inputs_have_different_keys(one: dict[str, Any], other: dict[str, Any]) -> None:
    assume(repr(reversed_keys(one)) != repr(reversed_keys(other)) and one != other)
    assert content_key("train", 1, one) != content_key("train", 1, other)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from(["a", "b", "c", "d/e", "d/f"]), unique=True, min_size=1), st.randoms())
def test_a_folders_digest_does_not_depend_on_the_order_of_writing(written: list[str], random: Any) -> None:
    again = list(written)
    random.shuffle(again)
    digests = set()
    for order in (written, again):
        with tempfile.TemporaryDirectory() as folder:
            for name in order:
                path = Path(folder) / name
                path.parent.mkdir(exist_ok=True)
                path.write_text(f"content of {name}")
            digests.add(folder_digest(Path(folder)))
    assert len(digests) == 1


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=5))
def test_however_often_a_stage_breaks_what_is_found_at_last_is_whole(breaks_after: list[int]) -> None:
    """Each attempt but the last writes some of the five files and raises."""

    def work(folder: Path, attempt: int, files: int) -> None:
        for number in range(files):
            (folder / f"{number}.txt").write_text(str(attempt))
        if files < 5:
            raise InterruptedError

    with tempfile.TemporaryDirectory() as root:
        run = RunFolder(Path(root) / "run")
        for attempt, files in enumerate(breaks_after):
            try:
                run_stage(run, "train", 1, {}, lambda folder, each=(attempt, files): work(folder, *each))
            except InterruptedError:
                assert list(run.root.rglob(FINISHED)) == []
        last = len(breaks_after)
        result = run_stage(run, "train", 1, {}, lambda folder: work(folder, last, 5))
        assert not result.reused
        assert {path.name: path.read_text() for path in result.folder.glob("*.txt")} == {
            f"{number}.txt": str(last) for number in range(5)
        }


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(1, 2), st.integers(0, 2)), min_size=1, max_size=12))
def test_a_stage_is_done_once_for_each_version_and_input(asked: list[tuple[int, int]]) -> None:
    done: list[tuple[int, int]] = []
    with tempfile.TemporaryDirectory() as root:
        for number, (version, seed) in enumerate(asked):
            run = RunFolder(Path(root) / f"run-{number % 3}")
            result = run_stage(
                run, "train", version, {"seed": seed}, lambda folder, each=(version, seed): done.append(each)
            )
            assert result.folder.is_relative_to(run.root)
    assert sorted(done) == sorted(set(asked))
