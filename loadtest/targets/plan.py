"""Which protocol the server speaks, and how a label is read from its answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2


class TargetKind(StrEnum):
    """Our own server, the Open Inference Protocol v2, an OpenAI-compatible chat, or any other URL."""

    CLASSIFY = "classify"
    OPEN_INFERENCE = "open-inference"
    CHAT = "chat"
    TEMPLATE = "template"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPlan:
    """What a request to the server is made of.

    ``path`` stands below the plan's url; None takes the protocol's own. ``template`` is the Jinja text of
    a request body. ``label_pointer`` is the JSON pointer (RFC 6901) of the label in an answer. A key for
    the server is named by the environment variable that holds it, so that no plan file contains it.

    Raises:
        ValueError: naming the field, its value and the rule.
    """

    kind: TargetKind = TargetKind.CLASSIFY
    path: str | None = None
    model: str | None = None
    template: str | None = None
    label_pointer: str | None = None
    max_tokens: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    api_key_env: str | None = None
    ca_file: str | None = None

    def __post_init__(self) -> None:
        if self.kind in (TargetKind.OPEN_INFERENCE, TargetKind.CHAT) and not self.model:
            raise ValueError(f"model is {self.model!r}; a target of kind '{self.kind}' needs the model's name")
        if (self.kind is TargetKind.TEMPLATE) != (self.template is not None):
            raise ValueError(
                f"template is {'missing' if self.template is None else 'given'}; "
                f"a target of kind '{TargetKind.TEMPLATE}', and no other, has one"
            )
        if self.path is not None and (not self.path.startswith("/") or not _is_plain(self.path)):
            raise ValueError(f"path is {self.path!r}; give one that starts with / and holds no space")
        if self.label_pointer and not self.label_pointer.startswith("/"):
            raise ValueError(f"label_pointer is {self.label_pointer!r}; a JSON pointer starts with /, as in /label")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise ValueError(f"max_tokens is {self.max_tokens}; give at least 1")
        for name, value in self.headers:
            if not _TOKEN.fullmatch(name) or not value.isprintable():
                raise ValueError(f"header {name!r} is {value!r}; give 'Name: value' on one line")


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text
