"""A look at what several machines have together, which changes nothing on any of them."""

from __future__ import annotations

import pytest

from harness.hardware import describe
from harness.matrix.ablation import Ablation
from harness.matrix.references import name_of
from harness.sharing.objects import Objects
from harness.sharing.preview import preview
from tests.sharing.test_exchange import MOST, _better, _change


@pytest.fixture
def two(make_judge, exchange_of, write_trial):
    """This machine's ablation with one trial, the others' exchange with another, and both keys."""
    ours, theirs = (make_judge("planted_noop", store=name) for name in ("one", "two"))
    first, second = list(ours.plan.trials)[:2]
    write_trial(ours, first)
    write_trial(theirs, second, wrong=2)
    ablation = Ablation(ours.plan, ours.store, ours, (), 1, 600.0, describe())
    return ablation, exchange_of(theirs), first, second


def _all_files(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_both_count_as_stored_and_neither_store_changes(two, url, tmp_path):
    ablation, others, first, second = two
    others.push_trials()
    (tmp_path / "scratch").mkdir()
    before = [_all_files(tmp_path / name) for name in ("one", "two", "shared")]
    seen, refused = preview(ablation, Objects(url), tmp_path / "scratch")
    assert refused == []
    assert [key for key in ablation.plan.trials if seen.judge.results.has(key)] == [first, second]
    assert seen.judge.results.result(first) == ablation.judge.results.result(first)
    assert seen.judge.results.result(second) == others.store.result(second)
    assert [_all_files(tmp_path / name) for name in ("one", "two", "shared")] == before


def test_records_of_both_are_read(two, url, tmp_path):
    ablation, others, _, _ = two
    one, other = (name_of(next(iter(ablation.plan.data)), seed) for seed in (0, 1))
    figures = {"always_vulnerable": 0.5, "regression": 0.25}
    ablation.store.keep("references", one, figures)
    others.store.keep("references", other, figures)
    others.push_records()
    (tmp_path / "scratch").mkdir()
    seen, _ = preview(ablation, Objects(url), tmp_path / "scratch")
    assert seen.store.read("references", one) == figures
    assert seen.store.read("references", other) == figures
    assert ablation.store.read("references", other) is None


def test_what_cannot_be_believed_is_named_and_does_not_count(two, url, tmp_path):
    ablation, others, _, second = two
    others.push_trials()
    forged = _change(others.objects.get("trials", f"{second}.zip", most=MOST), tmp_path, _better)
    others.objects.put(forged, "trials", f"{second}.zip")
    (tmp_path / "scratch").mkdir()
    seen, refused = preview(ablation, Objects(url), tmp_path / "scratch")
    assert not seen.judge.results.has(second)
    assert len(refused) == 1
    assert second in refused[0]


def test_before_anything_is_there_the_plan_is_as_alone(two, url, tmp_path):
    ablation, _, first, _ = two
    (tmp_path / "scratch").mkdir()
    seen, refused = preview(ablation, Objects(url), tmp_path / "scratch")
    assert refused == []
    assert [key for key in ablation.plan.trials if seen.judge.results.has(key)] == [first]
