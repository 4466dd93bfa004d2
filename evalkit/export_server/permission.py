"""Whether a verdict lets a model leave for production."""

from __future__ import annotations

from enum import Enum

from evalkit.decision.outcome import Outcome
from evalkit.export_server.errors import ExportError
from evalkit.export_server.source import Source


class Asked(Enum):
    """What the user asked for: only what may replace its teacher, or whatever the gate said."""

    GO_ONLY = "go only"
    EVEN_IF_NOT_GO = "even if not go"


def refuse_unless_go(source: Source, asked: Asked) -> None:
    """Raises ExportError where the outcome that holds is not GO, unless the user asked for it all the same."""
    judged = source.judged
    if judged is None or judged.standing is Outcome.GO or asked is Asked.EVEN_IF_NOT_GO:
        return
    raise ExportError(
        f"{verdict_line(source)}; only GO is exported: record an override with `evalkit override`, "
        "or give --even-if-not-go"
    )


def verdict_line(source: Source) -> str:
    """The verdict in one line of printable characters, whatever a person wrote; and that there is none where so."""
    judged = source.judged
    if judged is None:
        return "no verdict: this is a model folder, and no gate has judged it here"
    said = f"the verdict of {judged.run} is {judged.outcome}"
    if judged.overridden is not None:
        said = f"{said}, overridden to {judged.standing} ({judged.overridden})"
    return " ".join("".join(each if each.isprintable() else " " for each in said).split())
