from pathlib import Path

import pytest

from loadtest.layout import write_atomically


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "samples"
    write_atomically(path, lambda partial: partial.write_text("first"))

    def break_midway(partial: Path) -> None:
        partial.write_text("half of the sec")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, break_midway)
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]
