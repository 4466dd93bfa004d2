"""YAML in which a key may stand once only."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml

from evalkit.errors import SpecError

MERGE = "tag:yaml.org,2002:merge"
UNQUOTED_AT = "found character '@'"


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
    """The content of ``text``; ``name`` is how errors call it. Raises SpecError."""
    try:
        return yaml.load(text, Loader=EachKeyOnce)
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        remedy = '; quote it, e.g. "@text_length"' if UNQUOTED_AT in problem else ""
        raise SpecError(f"{name} is not valid YAML: {problem}{remedy}") from error
