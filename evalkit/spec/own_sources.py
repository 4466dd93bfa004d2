"""Which files a module of the user's own consists of: its own, and those of what it imports from the same folder."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path


def sources_of(root: Path, name: str, inside: str) -> dict[str, tuple[Path, bytes]]:
    """The files, and their bytes, of ``name`` and of every module in ``root`` that it imports, however deep; the
    __init__.py of their packages among them. Only modules whose name begins with ``inside`` are followed.

    Raises SyntaxError or ValueError for a file that is no Python.
    """
    found: dict[str, tuple[Path, bytes]] = {}
    waiting = [name]
    while waiting:
        parts = waiting.pop().split(".")
        for end in range(1, len(parts) + 1):
            module = ".".join(parts[:end])
            path = file_of(root, module)
            if path is None or module in found or not f"{module}.".startswith(inside):
                continue
            content = path.read_bytes()
            found[module] = path, content
            waiting += _imports(ast.parse(content, path.name), module, path)
    return found


def _imports(tree: ast.Module, module: str, path: Path) -> Iterator[str]:
    """Names that may be modules: of ``from a import b`` both a and a.b."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            yield base
            yield from (f"{base}.{each.name}" for each in node.names if each.name != "*")


def file_of(root: Path, module: str) -> Path | None:
    """The module's file in ``root``; a package before a module, as Python chooses."""
    if not module or module.startswith("."):
        return None
    path = root.joinpath(*module.split("."))
    for each in (path / "__init__.py", path.with_name(f"{path.name}.py")):
        if each.is_file():
            return each
    return None
