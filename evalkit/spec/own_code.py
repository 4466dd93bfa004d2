"""A function of the user's own that gate.yaml names as ``package.module:function``, and the digest of its code.

The module is looked for beside gate.yaml first, then wherever Python looks. It is the user's code, run with the user's
rights: open no gate.yaml of somebody you do not trust. Nothing else is ever run: what a model folder says of code is
data, and code that lies in a model folder is not looked at.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib
import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import SpecError
from evalkit.spec.own_sources import file_of, sources_of

INSTALLED = ("site-packages", "dist-packages")
LONGEST = 300
"""So many characters of what the user's code says are told."""

_imported_digests: dict[str, str] = {}
_added_roots: set[str] = set()


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCode:
    """A function, and the source files of its module and of what that imports, however deep, from the same place.

    ``root`` is the folder that Python finds the module in. ``files`` maps a module's name to its file below it: all
    that lie in ``root``, or in the module's own package where that is an installed one. Imports inside functions count
    too; what is imported by a computed name does not. ``sources`` are the files' bytes, so that the code can be sent to
    another machine; an installed package is not sent.
    """

    key: str
    """The key of gate.yaml that names it, for errors."""
    name: str
    """package.module:function."""
    root: Path
    files: Mapping[str, str]
    digests: Mapping[str, str]
    sources: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """sha256 of the modules' names and files."""
        lines = [f"{name} {digest}" for name, digest in sorted(self.digests.items())]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def function(self) -> Callable[..., Any]:
        """Imports the module, anew where another project's has its name or its code has changed. Raises SpecError."""
        module_name, _, attribute = self.name.partition(":")
        root = self._root_here()
        paths = {name: root / file for name, file in self.files.items()}
        _look_in(root)
        self._forget_earlier(paths)
        module = imported(module_name, f"{self.key} {self.name}")
        self._refuse_others(paths)
        found = getattr(module, attribute, None)
        if not callable(found):
            what = "is not there" if found is None else f"is of type {type(found).__name__}"
            raise self._refusal(f"{attribute} {what} in {paths[module_name]}; define it there")
        return found  # type: ignore[no-any-return]

    def _forget_earlier(self, paths: Mapping[str, Path]) -> None:
        """Modules that were imported from here in another state, or from the folder of another gate.yaml."""
        changed = [name for name in paths if _imported_digests.get(name, self.digests[name]) != self.digests[name]]
        elsewhere = [name for name, path in paths.items() if _is_other(name, path) and name in _imported_digests]
        if changed or elsewhere:
            for name in paths:
                sys.modules.pop(name, None)
        self._refuse_others(paths)
        _imported_digests.update(self.digests)

    def _refuse_others(self, paths: Mapping[str, Path]) -> None:
        for name, path in paths.items():
            if _is_other(name, path):
                instead = getattr(sys.modules[name], "__file__", None)
                raise self._refusal(f"Python imports {name} from {instead}, not from {path}; give yours another name")

    def _root_here(self) -> Path:
        """``root``; on another machine a folder with the same files."""
        for name, file in self.files.items():
            path = self.root / file
            if not path.is_file():
                return self._unpacked()
            if _digest(path.read_bytes()) != self.digests[name]:
                raise self._refusal(f"{path} was changed since evalkit was started; start it again")
        return self.root

    def _unpacked(self) -> Path:
        if not self.sources:
            raise self._refusal(f"{self.root} is not on this machine; install the same package here")
        root = Path(tempfile.mkdtemp(prefix="evalkit-code-"))
        atexit.register(shutil.rmtree, root, ignore_errors=True)
        for name, content in self.sources.items():
            path = root / self.files[name]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return root

    def _refusal(self, why: str) -> SpecError:
        return SpecError(f"{self.key} {self.name}: {why}")


def own_code(key: str, name: str, folder: Path) -> OwnCode:
    """Finds the source of ``name`` beside gate.yaml, which lies in ``folder``, or where Python looks; runs none of it
    but the packages that an installed module lies in.

    Raises SpecError where there is no such module, where it has no source, or where that is no Python.
    """
    module_name = name.partition(":")[0]
    root = folder.resolve()
    if file_of(root, module_name) is None:
        root = _root_elsewhere(key, name, root)
    top = module_name.partition(".")[0]
    inside = f"{top}." if any(part in INSTALLED for part in root.parts) else ""
    try:
        sources = sources_of(root, module_name, inside)
    except (SyntaxError, ValueError) as error:
        raise SpecError(f"{key} {name}: its code is no Python ({in_one_line(str(error))}); mend it") from error
    return OwnCode(
        key=key,
        name=name,
        root=root,
        files={module: path.relative_to(root).as_posix() for module, (path, _) in sources.items()},
        digests={module: _digest(content) for module, (_, content) in sources.items()},
        sources={} if inside else {module: content for module, (_, content) in sources.items()},
    )


def imported(module_name: str, what: str) -> Any:
    """The module, which may be anything that a user wrote. Raises SpecError, in one line, where importing it fails."""
    try:
        return importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        why = f"{type(error).__name__}: {in_one_line(str(error))}"
        raise SpecError(
            f"{what}: module {module_name} cannot be imported ({why}); install it, or put its folder on PYTHONPATH"
        ) from error


def in_one_line(told: str) -> str:
    """What the user's code says, without line breaks and other marks that do not print, and not without end."""
    printed = "".join(each if each.isprintable() else " " for each in told[: 2 * LONGEST])
    line = " ".join(printed.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} …"


def _root_elsewhere(key: str, name: str, folder: Path) -> Path:
    module_name = name.partition(":")[0]
    try:
        found = importlib.util.find_spec(module_name)
    except (Exception, SystemExit) as error:
        why = f"{type(error).__name__}: {in_one_line(str(error))}"
        raise SpecError(
            f"{key} {name}: module {module_name} cannot be found ({why}); put it beside gate.yaml"
        ) from error
    if found is None:
        raise SpecError(
            f"{key} {name}: there is no module {module_name} in {folder}, and none is installed; put it beside "
            "gate.yaml, install it, or put its folder on PYTHONPATH"
        )
    if found.origin is None or not found.origin.endswith(".py"):
        raise SpecError(
            f"{key} {name}: module {module_name} has no Python source, so that a change of it could not be seen; "
            "name a function in a .py file that calls it"
        )
    file = Path(found.origin)
    parents = module_name.count(".") + (1 if file.name == "__init__.py" else 0)
    return file.parents[parents]


def _look_in(root: Path) -> None:
    """Lets Python find modules in ``root``, last of all: a datasets.py beside gate.yaml must not stand for the library.
    The folder of an earlier gate.yaml is left out again."""
    for each in _added_roots - {str(root)}:
        sys.path[:] = [path for path in sys.path if path != each]
        _added_roots.discard(each)
    if str(root) not in sys.path:
        sys.path.append(str(root))
        _added_roots.add(str(root))
    importlib.invalidate_caches()


def _is_other(name: str, path: Path) -> bool:
    """Whether a module of this name is imported from another file."""
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    return module is not None and (file is None or Path(file).resolve() != path.resolve())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
