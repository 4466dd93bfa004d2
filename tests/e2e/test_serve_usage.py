"""`evalkit serve` is its own program, as its usage says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import Result

pytestmark = pytest.mark.alone


def test_the_usage_names_the_command_that_was_typed(in_process: Callable[..., Result]) -> None:
    done = in_process("serve", "--no-such-option")
    assert done.exit_code == 2
    assert "python -m serving" not in done.stderr
    assert " serve " in done.stderr.splitlines()[0]
