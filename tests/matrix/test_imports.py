"""What a file imports from its project, told from texts alone."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

from harness.matrix.code import parsed
from harness.matrix.imports import Roots, imported_files, is_installed, roots_of

ROOT = Path("/project")


@pytest.fixture
def find():
    """``find({"a.py": "import b", ...}, "a.py")``: names of the files that it imports."""

    def _find(texts, start, *, only="", leave=()):
        files = {ROOT / name: text.encode() for name, text in texts.items()}
        found = imported_files(
            ROOT / start,
            parsed(files[ROOT / start]).body,
            Roots((ROOT, ROOT / "src"), only),
            files.get,
            lambda file: file.relative_to(ROOT).as_posix().startswith(tuple(leave)),
        )
        return [one.file.relative_to(ROOT).as_posix() for one in found]

    return _find


def test_imports_are_followed_through_the_project_and_no_further(find):
    texts = {
        "a.py": "import b, torch\nfrom pack.inner import c",
        "b.py": "def f():\n    import d",
        "d.py": "import a",
        "pack/inner/c.py": "",
        "unused.py": "",
    }
    assert find(texts, "a.py") == ["b.py", "pack/inner/c.py", "d.py"]


def test_relative_imports(find):
    texts = {
        "p/__init__.py": "",
        "p/a.py": "from . import b\nfrom .c import x\nfrom ..q import y",
        "p/b.py": "",
        "p/c/__init__.py": "from .d import x",
        "p/c/d.py": "x = 1",
        "q.py": "",
    }
    assert find(texts, "p/a.py") == ["p/b.py", "p/c/__init__.py", "q.py", "p/c/d.py"]


def test_other_roots_are_searched_in_turn(find):
    texts = {"a.py": "import b", "src/b.py": "import c", "src/c.py": "", "c.py": ""}
    assert find(texts, "a.py") == ["src/b.py", "c.py"]


def test_imports_for_type_checking_do_not_count(find):
    text = "if TYPE_CHECKING:\n    import b\nelse:\n    import c"
    assert find({"a.py": text, "b.py": "", "c.py": ""}, "a.py") == ["c.py"]


def test_packages_around_count_if_they_do_more_than_import_and_their_imports_do_not(find):
    texts = {
        "p/__init__.py": "from p import a, other\nimport q\nq.patch()",
        "p/s/__init__.py": "from p.s import a, other",
        "p/s/a.py": "",
        "p/s/other.py": "",
        "q.py": "",
    }
    assert find(texts, "p/s/a.py") == ["p/__init__.py"]


def test_what_an_init_gives_by_name_is_followed(find):
    texts = {"a.py": "from p import thing", "p/__init__.py": "from p.b import thing", "p/b.py": ""}
    assert find(texts, "a.py") == ["p/__init__.py", "p/b.py"]


def test_a_file_that_cannot_be_read_as_python_is_found_and_not_followed(find):
    assert find({"a.py": "import b", "b.py": "import c (", "c.py": ""}, "a.py") == ["b.py"]


def test_files_that_are_left_are_not_followed(find):
    texts = {"a.py": "import engine.b", "engine/b.py": "import c", "c.py": ""}
    assert find(texts, "a.py", leave=["engine/"]) == []


def test_of_an_installed_package_its_own_modules_are_followed(find):
    texts = {"p/a.py": "import p.b, q", "p/b.py": "", "q.py": ""}
    assert find(texts, "p/a.py", only="p") == ["p/b.py"]


def test_roots_follow_from_the_modules_name(tmp_path):
    file = tmp_path / "p" / "q" / "a.py"
    assert roots_of(file, "p.q.a", []) == Roots((tmp_path,))
    assert roots_of(tmp_path / "p" / "__init__.py", "p", []) == Roots((tmp_path,))
    assert roots_of(file, "ablation_plugin_0", [str(tmp_path), "/nowhere"]) == Roots(
        (file.parent, tmp_path)
    )
    installed = Path(sysconfig.get_path("purelib"))
    assert is_installed(installed)
    assert is_installed(Path(sysconfig.get_path("stdlib")) / "json")
    assert roots_of(installed / "p" / "a.py", "p.a", [str(tmp_path)]) == Roots((installed,), "p")
    assert installed not in roots_of(file, "p.q.a", [str(installed)]).folders
