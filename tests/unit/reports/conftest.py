"""Every kind of record, rendered once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from evalkit.record.run_record import RunRecord
from reports.html import render_html
from reports.markdown import render_markdown
from tests.unit.reports import records
from tests.unit.reports.reading import HtmlReport

KINDS = {
    "go": records.go,
    "no_go": records.no_go,
    "inconclusive": records.inconclusive,
    "void": records.void,
    "hostile": records.hostile,
    "nothing_required": records.nothing_required,
}


@cache
def _record(kind: str) -> RunRecord:
    return KINDS[kind]()


@cache
def _html(kind: str) -> str:
    return render_html(_record(kind))


@pytest.fixture(scope="session")
def record() -> Callable[[str], RunRecord]:
    """The record of a kind."""
    return _record


@pytest.fixture(scope="session")
def html() -> Callable[[str], HtmlReport]:
    """The page of a kind, read back."""
    return cache(lambda kind: HtmlReport(_html(kind)))


@pytest.fixture(scope="session")
def markdown() -> Callable[[str], str]:
    """The Markdown of a kind."""
    return cache(lambda kind: render_markdown(_record(kind)))
