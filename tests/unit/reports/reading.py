"""Reads a report back as its reader would: text, tables and drawings."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

UNSEEN = {"style", "title", "desc"}
VOID_TAGS = {"meta", "link", "img", "br"}
NOTE = "\n"
"""What parts a name from the note below it in one cell."""


class HtmlReport(HTMLParser):
    """``text`` is what is seen, ``tables`` the cells of every table, ``tags`` every element with its attributes."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self._open: list[str] = []
        self._seen: list[str] = []
        self.feed(source)
        self.close()

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._seen).split())

    @property
    def drawings(self) -> list[ElementTree.Element]:
        return [ElementTree.fromstring(each) for each in re.findall(r"<svg.*?</svg>", self.source, re.DOTALL)]

    def table(self, heading: str) -> list[list[str]]:
        """The rows of the table that has this column."""
        (found,) = [each for each in self.tables if heading in each[0]]
        return found[1:]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID_TAGS:
            self._open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag == "small":
            self.tables[-1][-1][-1] += NOTE

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if UNSEEN.isdisjoint(self._open):
            self._seen.append(data)
        if {"td", "th"} & set(self._open):
            self.tables[-1][-1][-1] += data


def name_in(cell: str) -> str:
    """The name in a cell, without the note below it."""
    return cell.partition(NOTE)[0].strip()


def note_in(cell: str) -> str:
    """The note below the name in a cell."""
    return cell.partition(NOTE)[2].strip()


def markdown_table(text: str, heading: str) -> list[list[str]]:
    """The rows of the table that has this column."""
    (found,) = [each for each in markdown_tables(text) if heading in each[0]]
    return [[cell.replace("\u200b", "") for cell in row] for row in found[1:]]


def unescaped(text: str) -> str:
    """Markdown as a reader sees it."""
    return re.sub(r"\\(.)", r"\1", text).replace("\u200b", "")


def markdown_tables(text: str) -> list[list[list[str]]]:
    """Cells of every table, unescaped; fails where a row has another number of cells than its heading."""
    found: list[list[list[str]]] = []
    before = ""
    for line in text.splitlines():
        if line.startswith("|"):
            if not before.startswith("|"):
                found.append([])
            cells = [re.sub(r"\\(.)", r"\1", cell.strip()) for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            found[-1].append(cells)
            assert len(cells) == len(found[-1][0]), line
        before = line
    return [[rows[0], *rows[2:]] for rows in found]
