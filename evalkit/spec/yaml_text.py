"""YAML in which a key may stand once only."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml

from evalkit.errors import SpecError

MERGE = "tag:yaml.org,2002:merge"
UNQUOTED_AT = "found character '@'"
DEEPEST, MOST_VALUES = 50, 1_000_000


class EachKeyOnce(yaml.SafeLoader):
    """YAML in which a key may stand once only: otherwise the last one would silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            if key_node.tag == MERGE:
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                continue  # the base class refuses it, with its place in the file
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"'{key}' stands there twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def parse_yaml(text: str, name: str) -> Any:
    """The content of ``text``; ``name`` is how errors call it. Raises SpecError, also for a date that is none, for a
    number of thousands of digits and for content without end."""
    try:
        content = yaml.load(text, Loader=EachKeyOnce)
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        remedy = '; quote it, e.g. "@text_length"' if UNQUOTED_AT in problem else ""
        raise SpecError(f"{name} is not valid YAML: {problem}{remedy}") from error
    except ValueError as error:
        raise SpecError(f"{name} holds a date or a number that is none ({error}); correct it") from error
    except RecursionError as error:
        raise SpecError(_endless(name)) from error
    _refuse_endless(content, name)
    return content


def _refuse_endless(content: Any, name: str) -> None:
    """Aliases can make a short text refer to itself, or stand for billions of values."""
    left, values = [(content, 0)], 0
    while left:
        value, depth = left.pop()
        values += 1
        if depth > DEEPEST or values > MOST_VALUES:
            raise SpecError(_endless(name))
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        left += [(each, depth + 1) for each in inside]


def _endless(name: str) -> str:
    return (
        f"{name} is nested more than {DEEPEST} deep or holds more than {MOST_VALUES:,} values; write it out without "
        "aliases"
    )
