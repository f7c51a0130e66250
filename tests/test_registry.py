"""Named things that packages can add, and plugin files."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import pytest

from harness import registry as room
from harness.errors import UsageError
from harness.feature import FEATURES
from harness.models import MODELS
from harness.registry import Registry, import_plugin, import_plugins, imported_plugins


@pytest.fixture
def registry(monkeypatch):
    """A registry with two entries and no packages."""
    monkeypatch.setattr(room, "entry_points", lambda group: [])
    made = Registry("thing", "test.things")
    made.add("alpha", int)
    made.add("beta", str)
    return made


def test_entries_are_found_by_name_in_order(registry):
    assert registry.get("alpha") is int
    assert registry.names() == ["alpha", "beta"]
    assert list(registry) == [("alpha", int), ("beta", str)]


def test_an_unknown_name_is_answered_with_the_nearest(registry):
    with pytest.raises(UsageError, match="there is no thing 'alfa'") as caught:
        registry.get("alfa")
    assert "did you mean alpha?" in caught.value.mend
    with pytest.raises(UsageError) as caught:
        registry.get("zzzzzz")
    assert caught.value.mend == "there are: alpha, beta"


def test_a_name_taken_by_another_is_refused_by_where_both_are(registry):
    registry.add("alpha", int)
    with pytest.raises(
        UsageError, match=r"two things are called 'alpha': builtins\.int and builtins\.float"
    ):
        registry.add("alpha", float)
    assert registry.get("alpha") is int


def test_the_origin_stands_in_for_entries_that_are_no_classes(registry):
    registry.add("gamma", [1], origin=dict)
    registry.add("gamma", [2], origin=dict)
    assert registry.get("gamma") == [2]
    with pytest.raises(UsageError, match=r"builtins\.dict and builtins\.set"):
        registry.add("gamma", [3], origin=set)


@pytest.mark.parametrize("name", ["Alpha", "a-b", "", "1a", None])
def test_a_name_that_no_selection_can_hold_is_refused(registry, name):
    with pytest.raises(UsageError, match="a thing cannot be called"):
        registry.add(name, int)


# Entry points --------------------------------------------------------------------------------


def points(monkeypatch, *values):
    found = [EntryPoint(f"p{place}", value, "test.things") for place, value in enumerate(values)]
    monkeypatch.setattr(room, "entry_points", lambda group: found if group == "test.things" else [])
    return Registry("thing", "test.things")


def test_packages_are_imported_at_the_first_look_up_and_once(monkeypatch, tmp_path):
    (tmp_path / "some_package.py").write_text(
        "import sys\nsys.loads = getattr(sys, 'loads', 0) + 1"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "loads", 0, raising=False)
    made = points(monkeypatch, "some_package")
    assert sys.loads == 0
    made.names()
    made.names()
    assert sys.loads == 1


def test_a_package_that_cannot_be_loaded_is_named_each_time(monkeypatch):
    made = points(monkeypatch, "no_such_module_at_all")
    for _ in range(2):
        with pytest.raises(UsageError, match=r"cannot be loaded as test\.things: ModuleNotFound"):
            made.get("anything")


def test_a_package_may_look_up_while_it_is_imported(monkeypatch):
    class Point:
        value = "x"
        dist = None

        def load(self):
            assert made.names() == []
            made.add("late", int)

    made = Registry("thing", "test.things")
    monkeypatch.setattr(room, "entry_points", lambda group: [Point()])
    assert made.names() == ["late"]


def test_the_built_in_things_come_by_entry_points_too():
    assert {"amp", "swa", "tensorboard"} <= set(FEATURES.names())
    assert {"gat", "gcn", "gin", "sage"} <= set(MODELS.names())


# Plugin files --------------------------------------------------------------------------------


@pytest.fixture
def things(monkeypatch, registry):
    """The registry that the plugin files below add to."""
    monkeypatch.setattr(room, "_test_things", registry, raising=False)
    return registry


ADD = (
    "from harness import registry\nclass {name}: pass\nregistry._test_things.add('{key}', {name})\n"
)


def test_a_file_is_imported_once_by_whatever_path(things, tmp_path, monkeypatch):
    path = tmp_path / "plugin.py"
    path.write_text(ADD.format(name="First", key="first"))
    import_plugin(path)
    first = things.get("first")
    monkeypatch.chdir(tmp_path)
    assert import_plugins(["plugin.py", "./plugin.py"]) == (str(path), str(path))
    assert things.get("first") is first


def test_files_of_one_name_in_two_folders_are_two_plugins(things, tmp_path):
    for folder, name in (("a", "One"), ("b", "Two")):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / "plugin.py"
        path.write_text(ADD.format(name=name, key=name.lower()))
        import_plugin(path)
    assert {"one", "two"} <= set(things.names())


def test_a_name_taken_by_two_files_is_refused_by_their_paths(things, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "plugin.py").write_text(ADD.format(name="Same", key="same"))
    import_plugin(tmp_path / "a" / "plugin.py")
    with pytest.raises(UsageError, match="two things are called 'same'") as caught:
        import_plugin(tmp_path / "b" / "plugin.py")
    assert f"{tmp_path}/a/plugin.py:Same and {tmp_path}/b/plugin.py:Same" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("raise RuntimeError('planted')", "cannot be imported: RuntimeError: planted"),
        ("def f(:", "cannot be imported: SyntaxError"),
        ("import no_such_module_at_all", "cannot be imported: ModuleNotFoundError"),
    ],
)
def test_a_file_that_raises_is_named_and_may_be_tried_again(tmp_path, content, message):
    path = tmp_path / "plugin.py"
    path.write_text(content)
    for _ in range(2):
        with pytest.raises(UsageError, match=message) as caught:
            import_plugin(path)
        assert caught.value.where == f"{path}:1"
    path.write_text("x = 1")
    import_plugin(path)


@pytest.mark.parametrize("name", ["none.py", "folder", "text.txt"])
def test_what_is_no_python_file_is_named(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.txt").write_text("x = 1")
    with pytest.raises(UsageError, match="no such Python file"):
        import_plugin(tmp_path / name)


def test_plugins_that_are_imported_are_known_by_their_paths(tmp_path):
    path = tmp_path / "listed_plugin.py"
    path.write_text("X = 1\n")
    assert str(path) not in imported_plugins()
    import_plugin(path)
    assert str(path.resolve()) in imported_plugins()
