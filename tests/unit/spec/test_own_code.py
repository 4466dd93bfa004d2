"""A function that gate.yaml names: found beside it, told from its changed self, imported anew where it changed."""

from __future__ import annotations

import pickle
import sys
from dataclasses import replace

import pytest

from evalkit.errors import SpecError
from evalkit.spec.own_code import own_code

KEY = "student.distill.module"
FILES = {
    "shapes/__init__.py": "from . import deep\n",
    "shapes/deep.py": "def depth():\n    from layers_of_mine import LAYERS\n    return LAYERS\n",
    "layers_of_mine.py": "import json, torch\nLAYERS = 2\n",
    "unrelated.py": "x = 1\n",
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    write(tmp_path, FILES)
    yield tmp_path
    for name in ("shapes", "shapes.deep", "layers_of_mine", "unrelated", "broken", "left"):
        sys.modules.pop(name, None)


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


def test_a_function_beside_gate_yaml_is_found_wherever_evalkit_is_started(project):
    code = own_code(KEY, "shapes.deep:depth", project)
    assert code.function()() == 2
    assert sys.path[-1] == str(project), "last: a module beside gate.yaml must not stand for an installed one"


def test_the_digest_is_of_everything_in_the_project_that_the_function_imports(project):
    code = own_code(KEY, "shapes.deep:depth", project)
    assert set(code.files) == {"shapes", "shapes.deep", "layers_of_mine"}
    before = code.digest
    write(project, {"unrelated.py": "x = 2\n"})
    assert own_code(KEY, "shapes.deep:depth", project).digest == before
    for name in ("layers_of_mine.py", "shapes/__init__.py", "shapes/deep.py"):
        text = (project / name).read_text()
        (project / name).write_text(text + "# changed\n")
        assert own_code(KEY, "shapes.deep:depth", project).digest != before
        (project / name).write_text(text)
    assert own_code(KEY, "shapes.deep:depth", project).digest == before


def test_changed_code_and_code_of_another_project_is_imported_anew(project, tmp_path_factory):
    assert own_code(KEY, "shapes.deep:depth", project).function()() == 2
    write(project, {"layers_of_mine.py": "import json, torch\nLAYERS = 30\n"})
    assert own_code(KEY, "shapes.deep:depth", project).function()() == 30
    other = tmp_path_factory.mktemp("other")
    write(other, FILES | {"layers_of_mine.py": "LAYERS = 400\n"})
    assert own_code(KEY, "shapes.deep:depth", other).function()() == 400


def test_on_a_machine_without_the_project_the_code_that_was_sent_is_run(project):
    code = own_code(KEY, "shapes.deep:depth", project)
    sent = pickle.loads(pickle.dumps(replace(code, root=project / "elsewhere")))
    write(project, {"layers_of_mine.py": "LAYERS = 30\n"})
    assert sent.function()() == 2
    assert sent.digest == code.digest
    with pytest.raises(SpecError, match=r"layers_of_mine\.py was changed since evalkit was started; start it again"):
        code.function()


def test_of_an_installed_package_the_package_alone_is_read(tmp_path):
    code = own_code(KEY, "sklearn.utils:shuffle", tmp_path)
    assert code.root.name == "site-packages"
    assert "sklearn.utils" in code.files
    assert {name.partition(".")[0] for name in code.files} == {"sklearn"}
    assert code.function().__name__ == "shuffle"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent:build", r"absent:build: there is no module absent in .*put it beside gate\.yaml, install it"),
        ("absent.part:build", r"module absent.part cannot be found \(ModuleNotFoundError.*put it beside gate\.yaml"),
        ("itertools:chain", r"module itertools has no Python source, so that a change of it could not be seen"),
        ("shapes.deep:breadth", r"breadth is not there in .*deep\.py; define it there"),
        ("layers_of_mine:LAYERS", r"LAYERS is of type int in .*layers_of_mine\.py"),
        ("broken:build", r"its code is no Python \(.*broken\.py, line 1\)\); mend it"),
        ("left:build", r"module left cannot be imported \(SystemExit: 0\)"),
    ],
)
def test_what_keeps_a_function_from_being_called_is_one_line(project, name, message):
    write(project, {"broken.py": "def build(:\n", "left.py": "raise SystemExit(0)\n"})
    with pytest.raises(SpecError, match=f"{KEY} .*{message}") as raised:
        own_code(KEY, name, project).function()
    assert "\n" not in str(raised.value)


def test_a_module_named_as_an_installed_one_is_refused_rather_than_the_other_one_run(project):
    write(project, {"json/__init__.py": "def build():\n    pass\n"})
    import json

    with pytest.raises(SpecError, match=r"Python imports json from .*lib.*, not from .*; give yours another name"):
        own_code(KEY, "json:build", project).function()
    assert sys.modules["json"] is json
