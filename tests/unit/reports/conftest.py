"""Every kind of record, rendered once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from evalkit.record.override import Override
from evalkit.record.run_record import RunRecord
from reports.html import render_html
from reports.markdown import render_markdown
from tests.unit.reports import overridden
from tests.unit.reports.kinds import KINDS
from tests.unit.reports.reading import HtmlReport

OVERRIDES = {"rich": overridden.several, "hostile": overridden.hostile}


@cache
def _record(kind: str) -> RunRecord:
    return KINDS[kind]()


def _overrides(kind: str) -> tuple[Override, ...]:
    return OVERRIDES[kind]() if kind in OVERRIDES else ()


@pytest.fixture(scope="session")
def record() -> Callable[[str], RunRecord]:
    """The record of a kind."""
    return _record


@pytest.fixture(scope="session")
def html() -> Callable[[str], HtmlReport]:
    """The page of a kind, read back."""
    return cache(lambda kind: HtmlReport(render_html(_record(kind), _overrides(kind))))


@pytest.fixture(scope="session")
def markdown() -> Callable[[str], str]:
    """The Markdown of a kind."""
    return cache(lambda kind: render_markdown(_record(kind), _overrides(kind)))
