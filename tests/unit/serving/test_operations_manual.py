"""The tables of docs/operations.md are those of the code."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from serving.__main__ import parser
from serving.exposition import COUNTERS, GAUGES, HISTOGRAMS, MODEL_INFO, TABLES
from serving.provider import Provider
from serving.settings import ServerSettings, flag_of, meaning_of

MANUAL = (Path(__file__).parents[3] / "docs" / "operations.md").read_text(encoding="utf-8")


def shown(default: object) -> str:
    if default is None:
        return ""
    return f"`{default.value if isinstance(default, Provider) else default}`"


def rows_after(heading: str) -> list[str]:
    section = MANUAL.split(f"## {heading}\n")[1].split("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| `")]


def test_the_manual_has_every_setting_with_its_default_and_meaning() -> None:
    expected = [
        f"| `{flag_of(setting.name)}` | {shown(setting.default)} | {meaning_of(setting)} |"
        for setting in fields(ServerSettings)
    ]

    assert rows_after("Settings") == expected


def test_the_help_names_every_flag_of_the_manual() -> None:
    described = parser().format_help()

    assert all(row.split("`")[1] in described for row in rows_after("Settings"))


def test_the_manual_has_every_figure() -> None:
    names = [*HISTOGRAMS, *(f"{name}_total" for name in (*TABLES, *COUNTERS)), *GAUGES, f"{MODEL_INFO}_info"]
    meanings = [about[-1] for table in (HISTOGRAMS, TABLES, COUNTERS, GAUGES) for about in table.values()]
    found = rows_after("Figures")

    assert [row.split("`")[1].split("{")[0] for row in found] == names
    assert [row.split(" | ")[-1].removesuffix(" |") for row in found][:-1] == meanings
