"""What changed between two versions of a project, told from their texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.matrix.changes import Engine, How, Part, Versions, changed_pins, registered_in
from harness.matrix.imports import Roots

ROOT = Path("/project")
FEATURE = '''
from helper import twice

@register
class A(Feature):
    """One."""

    name = "a"
    steps = twice(1)

@register
class B(Feature):
    name = "b"
    steps = 2
'''
HELPER = "def twice(x):\n    return 2 * x\n"
TEXTS = {"f.py": FEATURE, "helper.py": HELPER}


@pytest.fixture
def versions():
    """``versions(now, then)``, each a table from names to texts."""

    def _versions(now, then=TEXTS):
        tables = [{ROOT / name: text.encode() for name, text in one.items()} for one in (now, then)]
        return Versions(tables[0].get, tables[1].get, lambda file: file.name.startswith("engine"))

    return _versions


def _part(name, file="f.py"):
    return Part(name, ROOT / file, name.upper(), Roots((ROOT,)))


def _how(versions, name, **more):
    return versions.compare(_part(name), set(), **more).how


def test_nothing_and_words_change_nothing(versions):
    same = versions(TEXTS)
    assert _how(same, "a") is How.SAME
    assert not same.only_words(ROOT / "f.py")
    words = versions({"f.py": FEATURE.replace("One", "Two"), "helper.py": f"# why\n{HELPER}"})
    assert [_how(words, name) for name in "ab"] == [How.SAME, How.SAME]
    assert [words.only_words(ROOT / name) for name in TEXTS] == [True, True]


def test_of_two_features_in_a_file_the_changed_one_counts(versions):
    now = versions({**TEXTS, "f.py": FEATURE.replace("steps = 2", "steps = 3")})
    assert [_how(now, name) for name in "ab"] == [How.SAME, How.CHANGED]
    assert not now.only_words(ROOT / "f.py")
    shared = versions({**TEXTS, "f.py": f"{FEATURE}\nLIMIT = 3\n"})
    assert [_how(shared, name) for name in "ab"] == [How.CHANGED, How.CHANGED]


def test_a_changed_import_counts_and_is_named(versions):
    now = versions({**TEXTS, "helper.py": HELPER.replace("2 *", "3 *")})
    change = now.compare(_part("a"), set())
    assert change.how is How.CHANGED
    assert change.files == (ROOT / "helper.py",)
    assert change.counts


def test_an_import_that_is_there_no_more_counts(versions):
    optional = f"try:\n    import extra\nexcept ImportError: ...\n{FEATURE}"
    then = {"f.py": optional, "helper.py": HELPER, "extra.py": "x = 1"}
    change = versions({**then, "helper.py": HELPER, "f.py": optional}, then)
    assert change.compare(_part("a"), set()).how is How.SAME
    gone = versions({"f.py": optional, "helper.py": HELPER}, then)
    assert gone.compare(_part("a"), set()).files == (ROOT / "extra.py",)


def test_new_features(versions):
    assert _how(versions(TEXTS, {}), "a") is How.NEW
    without_b = FEATURE[: FEATURE.rindex("@register")]
    added = versions(TEXTS, {**TEXTS, "f.py": without_b})
    assert [_how(added, name) for name in "ab"] == [How.SAME, How.NEW]


def test_a_class_with_another_name_is_another_class(versions):
    renamed = versions({**TEXTS, "f.py": FEATURE.replace("class A", "class Z")})
    assert renamed.compare(Part("a", ROOT / "f.py", "Z", Roots((ROOT,))), set()).how is How.CHANGED


def test_a_file_that_moved_is_compared_with_where_it_was(versions):
    moved = versions({"g.py": FEATURE, "helper.py": HELPER})
    change = moved.compare(_part("a", "g.py"), set(), ROOT / "f.py")
    assert change.how is How.MOVED
    assert change.files == (ROOT / "f.py",)
    assert not change.counts
    changed = versions({"g.py": FEATURE.replace("twice(1)", "twice(2)"), "helper.py": HELPER})
    assert changed.compare(_part("a", "g.py"), set(), ROOT / "f.py").how is How.CHANGED
    assert changed.compare(_part("b", "g.py"), set(), ROOT / "f.py").how is How.MOVED


def test_an_older_file_that_is_no_python_counts_as_changed(versions):
    broken = versions(TEXTS, {**TEXTS, "f.py": "class A(:"})
    change = broken.compare(_part("a"), set())
    assert change.how is How.CHANGED
    assert change.unreadable
    helper = versions(TEXTS, {**TEXTS, "helper.py": "def twice(:"})
    assert helper.compare(_part("a"), set()).files == (ROOT / "helper.py",)


def test_code_that_is_nested_too_deeply_counts_as_changed_when_its_text_is(versions):
    then = {"f.py": f"{FEATURE}\nx = 1{' + 1' * 3000}\n", "helper.py": HELPER}
    assert _how(versions(then, then), "a") is How.SAME
    assert _how(versions({**then, "f.py": f"{then['f.py']}# more\n"}, then), "a") is How.CHANGED
    deep = {**TEXTS, "helper.py": f"x = 1{' + 1' * 3000}\n"}
    assert _how(versions(deep, deep), "a") is How.SAME
    assert (
        _how(versions({**deep, "helper.py": f"{deep['helper.py']}#\n"}, deep), "a") is How.CHANGED
    )


def test_the_engine_is_left_to_its_own_comparison(versions):
    then = {"f.py": f"import engine_a\n{FEATURE}", "helper.py": HELPER, "engine_a.py": "x = 1"}
    now = versions({**then, "engine_a.py": "x = 2"}, then)
    assert _how(now, "a") is How.SAME
    assert now.engine([ROOT / "engine_a.py"], [ROOT / "helper.py"]) == Engine(
        compared=True, code=(ROOT / "engine_a.py",)
    )


def test_engine_files_changed_in_words_added_and_removed(versions):
    then = {"engine_a.py": "x = 1", "engine_b.py": "x = 1", "gate.py": "x = 1", "gates.py": "x = 1"}
    now = {"engine_a.py": "x = 1  # one", "engine_c.py": "", "gate.py": "x = 2", "gates.py": "x=1"}
    engine = versions(now, then).engine(
        [ROOT / f"engine_{one}.py" for one in "abc"], [ROOT / "gate.py", ROOT / "gates.py"]
    )
    assert engine.words == (ROOT / "engine_a.py",)
    assert engine.code == (ROOT / "engine_b.py", ROOT / "engine_c.py")
    assert engine.beside == (ROOT / "gate.py",)


def test_features_of_files_are_found_by_name(versions):
    read = versions(TEXTS).now
    assert registered_in([ROOT / "f.py", ROOT / "nothing.py"], read) == {
        "a": ROOT / "f.py",
        "b": ROOT / "f.py",
    }


def test_a_changed_pin_of_a_package_is_named():
    now, then = "torch==2.9.0 # x\nnumpy==2\n", "Torch == 2.8.0\nnumpy==1\ntorch_geometric==2.7\n"
    assert changed_pins(now, then, ("torch", "torch-geometric")) == (
        "torch is pinned at 2.9.0, and was at 2.8.0",
        "torch-geometric is pinned at no version, and was at 2.7",
    )
    assert changed_pins(now, now, ("torch", "torch-geometric")) == ()
