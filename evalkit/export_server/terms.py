"""Whether the terms of use of the teacher's provider let a student that learned from it leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.export_server.errors import ExportError
from evalkit.export_server.source import Source

PERMITTED = "yes"


def refuse_unless_permitted(source: Source) -> None:
    """Raises ExportError where the terms forbid training on the teacher's answers, or nobody knows, and no reason to
    export all the same is stated in gate.yaml."""
    terms = _terms(source)
    if terms is None or terms["permits_training"] == PERMITTED or terms["override_reason"] is not None:
        return
    raise ExportError(
        f"{terms_line(source)}; the student is not exported: settle the terms, or say in gate.yaml why it may be "
        "(teacher.terms.override_reason), and run `evalkit check` again"
    )


def terms_line(source: Source) -> str | None:
    """The terms in one line; None where the run names none."""
    terms = _terms(source)
    if terms is None:
        return None
    said = {"yes": "permit", "no": "do not permit"}.get(terms["permits_training"], "are unresolved on")
    line = f"the terms of {terms['provider']} ({terms['url']}, read {terms['read_on']}) {said} training on its answers"
    reason = terms["override_reason"]
    whole = line if reason is None else f"{line}, overridden: {reason}"
    return " ".join("".join(each if each.isprintable() else " " for each in whole).split())


def _terms(source: Source) -> Mapping[str, Any] | None:
    return None if source.judged is None else source.judged.terms
