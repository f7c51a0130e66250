"""Which candidates a change concerns."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.matrix.changes import Change, Changes, Engine, How, Stale
from harness.matrix.revision import Revision
from harness.matrix.scope import choose
from harness.matrix.shapes import Shape, baseline_of, candidates_of, make_matrix
from harness.report.changes import lines_of

ROOT = Path("/project")
REVISION = Revision(ROOT, "HEAD", "a" * 40, {}, frozenset())
CHANGED = Change(How.CHANGED, (ROOT / "x.py",))


@pytest.fixture
def scope():
    """``scope({"swa": CHANGED}, features="swa,amp")`` with any field of ``Changes``."""

    def _scope(features=None, *, asked="amp,swa,focal_loss", stale=Stale.ALL, **more):
        shape = Shape(more.pop("shape", "add-one"))
        baseline = baseline_of(more.pop("baseline", "focal_loss"))
        models = more.pop("selected", "gcn,gat[heads=2]")
        matrix = make_matrix(shape, candidates_of(asked, shape), baseline)
        values = {"models": {}, "deleted": (), "engine": Engine(compared=True), **more}
        return choose(REVISION, Changes(features=features or {}, **values), matrix, models, stale)

    return _scope


def _said(scope):
    return "\n".join(lines_of(scope))


def test_nothing_changed_and_nothing_is_judged(scope):
    found = scope({"swa": Change(How.SAME), "amp": Change(How.OUTSIDE, (Path("/else.py"),))})
    assert found.candidates == ()
    assert not found.void
    assert "Nothing changed that is trained: no run is needed" in _said(found)
    assert "ignored by git, not compared: feature amp\n" in _said(found)


def test_those_that_changed_are_judged_alone(scope):
    found = scope({"swa": CHANGED, "param_groups": Change(How.NEW, (ROOT / "y.py",))})
    assert found.candidates == ("swa",)
    assert "feature swa: changed: x.py\nfeature param_groups: new: y.py\n" in f"{_said(found)}\n"
    assert _said(found).endswith("To be judged, 1 of 3: swa")
    assert "void" not in _said(found)


def test_a_changed_feature_concerns_every_candidate_that_has_it(scope):
    found = scope({"swa": CHANGED}, asked="amp,swa[start=0.4]+amp,focal_loss")
    assert found.candidates == ("swa[start=0.4]+amp",)
    pairs = scope({"swa": CHANGED}, asked="amp,swa,param_groups", shape="pairs")
    assert pairs.candidates == ("amp+swa", "swa+param_groups")


def test_what_moved_needs_no_run_and_what_is_deleted_is_named(scope):
    found = scope({"swa": Change(How.MOVED, (ROOT / "old.py",))}, deleted=("gone",))
    assert found.candidates == ()
    assert "feature swa: the same code, which was in old.py" in _said(found)
    assert "feature gone: deleted, so there is nothing to judge" in _said(found)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"engine": Engine(compared=True, code=(ROOT / "e.py",))},
            "every trial goes through: e.py",
        ),
        ({"pins": ("torch is pinned at 2, and was at 1",)}, "torch is pinned at 2"),
        ({"models": {"gat": CHANGED}}, "model gat: changed: x.py"),
        ({"features": {"focal_loss": CHANGED}}, "the baseline has what changed: focal_loss"),
    ],
)
def test_where_the_baseline_is_void_every_feature_is_judged(scope, changes, says):
    found = scope(**changes)
    assert found.void
    assert found.candidates == ("amp", "swa", "focal_loss")
    assert says in _said(found)
    assert "The stored baseline is void" in _said(found)
    assert "every feature asked for is judged anew" in _said(found)


def test_a_void_baseline_can_concern_the_changed_features_alone(scope):
    engine = Engine(compared=True, code=(ROOT / "e.py",))
    found = scope({"swa": CHANGED}, engine=engine, stale=Stale.CHANGED)
    assert found.candidates == ("swa",)
    assert "the others' verdicts rest on the old baseline" in _said(found)
    none = scope(engine=engine, stale=Stale.CHANGED)
    assert none.candidates == ()
    assert "Nothing asked for changed itself" in _said(none)


def test_a_model_that_is_not_asked_for_concerns_nothing(scope):
    found = scope(models={"gat": CHANGED}, selected="gcn")
    assert not found.void
    assert "it is not among --models" in _said(found)


def test_with_drop_one_every_feature_of_the_full_arm_is_the_baseline_s(scope):
    found = scope({"swa": CHANGED}, asked="amp,swa", shape="drop-one")
    assert found.baseline == ("swa",)
    assert len(found.candidates) == 3


def test_words_alone_need_no_run_and_are_named(scope):
    found = scope(engine=Engine(compared=True, words=(ROOT / "e.py",)), words=(ROOT / "f.py",))
    assert found.candidates == ()
    assert "docstrings, comments or layout alone: e.py, f.py" in _said(found)
    assert "No code changed that is trained: no run is needed" in _said(found)


def test_what_is_beside_the_engine_and_what_is_outside_is_said(scope):
    engine = Engine(compared=True, beside=(ROOT / "harness/gates/f1.py",))
    assert "builds data or judges: harness/gates/f1.py" in _said(scope(engine=engine))
    assert "not compared: the engine\n" in _said(scope(engine=Engine()))
    broken = Change(How.CHANGED, (ROOT / "x.py",), unreadable=True)
    assert "x.py was no Python that can be read" in _said(scope({"swa": broken}))
