"""A store below a URL is reported on and merged like a folder; campaigns of two machines meet."""

from __future__ import annotations

import json
import shutil

import pytest

from harness.config import Override, RunConfig
from harness.errors import HarnessError, StoreError, UsageError
from harness.graphs.sources import silent
from harness.hardware import describe
from harness.matrix.ablation import prepare
from harness.matrix.merge import merge
from harness.matrix.stored import open_stored
from harness.report.summary import summarise
from harness.seal import sealed, unsealed
from harness.sharing.mirror import checked_mirror, mirror
from harness.sharing.objects import Objects
from harness.sharing.run import run_shared

ONE, TWO = (describe("cpu", threads).kind for threads in (1, 2))


@pytest.fixture
def run(packed, plugin, url, tmp_path):
    """Run a machine's part of one question: ``run("one", threads=1)`` gives judge and events."""

    def make(name, *, share=True, **more):
        given = {
            "data": str(packed[1]), "features": "planted_insight", "models": "gcn[hidden=16]",
            "baseline": "plain", "seeds": 3, "epochs": 3, "learning_rate": 0.01,
            "warmup_epochs": 100, "batch_size": 32, "policy": "claims", "jobs": 2,
            "hardware": f"{ONE},{TWO}", "plugins": plugin, "timing_epochs": 1, "timing_blocks": 3,
            "data_root": tmp_path / "data", "out": tmp_path / name,
            "overrides": {"planted_insight": Override(max_ratio=50)},
        }  # fmt: skip
        ablation = prepare(RunConfig(**{**given, **more}), silent)
        events = []
        if share:
            run_shared(ablation, Objects(url), ablation.hardware.kind, events.append)
        else:
            ablation.run(events.append)
        return ablation.judge, events

    return make


def _trials(folder):
    return {
        path.parent.name: json.loads(path.read_text())["gate_digest"]
        for path in folder.glob("trials/*/result.json")
    }


def test_a_second_machine_of_a_kind_trains_nothing_and_says_the_same(run, url, tmp_path):
    judge, _ = run("one")
    again, events = run("two")
    assert [type(event).__name__ for event in events if "Started" in type(event).__name__] == []
    assert _trials(tmp_path / "two") == _trials(tmp_path / "one")
    assert summarise(again).to_json() == summarise(judge).to_json()
    assert open_stored(tmp_path / "two").store.keys() == judge.store.keys()


def test_kinds_of_hardware_meet_below_a_url_as_in_a_merge(run, url, tmp_path):
    run("one", threads=1)
    run("two", threads=2)
    merge([tmp_path / "one", tmp_path / "two"], tmp_path / "merged", tmp_path / "data")
    fetched = checked_mirror(url, tmp_path / "data")
    there, here = (
        summarise(open_stored(folder)).to_json() for folder in (fetched, tmp_path / "merged")
    )
    assert {**there, "sources": None} == {**here, "sources": None}
    assert [one["hardware"] for one in there["sources"]] == [[ONE], [TWO]]
    # Once more: nothing is fetched twice, and what was checked is checked again.
    assert checked_mirror(url, tmp_path / "data") == fetched
    assert _trials(fetched) == _trials(tmp_path / "merged")


def test_what_was_forged_below_a_url_is_refused_when_it_is_read(run, url, tmp_path):
    run("one")
    copies = mirror(url, tmp_path / "data")
    result = next(copies[0].glob("trials/*/result.json"))
    found = unsealed(json.loads(result.read_text()))
    result.write_text(json.dumps(sealed({**found, "f1": 1.0})))
    with pytest.raises(StoreError, match="have an F1 of"):
        checked_mirror(url, tmp_path / "data")


@pytest.mark.parametrize("part", ["plans", "trials"])
def test_what_is_too_large_below_a_url_is_said(run, url, tmp_path, part):
    run("one")
    path = next((tmp_path / "shared" / part).iterdir())
    with path.open("wb") as file:
        file.truncate(10 << 30)
    with pytest.raises(StoreError, match="has 10737418240 bytes") as error:
        mirror(url, tmp_path / "data")
    assert path.name in str(error.value)


def test_a_plan_that_goes_while_it_is_fetched_is_as_one_that_was_never_there(
    run, url, tmp_path, monkeypatch
):
    run("one")
    monkeypatch.setattr(Objects, "get", lambda *_, **__: None)
    with pytest.raises(UsageError, match="there is no plan in it"):
        checked_mirror(url, tmp_path / "data")


def test_an_empty_place_is_said(url, tmp_path):
    with pytest.raises(UsageError, match="there is no such folder"):
        mirror(url, tmp_path / "data")
    (tmp_path / "shared").mkdir()
    with pytest.raises(UsageError, match="there is no plan in it"):
        mirror(url, tmp_path / "data")


def test_a_damaged_plan_is_said(run, url, tmp_path):
    run("one")
    plan = next((tmp_path / "shared" / "plans").iterdir())
    plan.write_text(plan.read_text().replace('"seed": 1', '"seed": 2', 1))
    with pytest.raises(HarnessError, match="is not what was written"):
        mirror(url, tmp_path / "data")
    plan.write_text("null")
    with pytest.raises(StoreError, match="nothing but null"):
        checked_mirror(url, tmp_path / "data")
    shutil.rmtree(tmp_path / "shared" / "plans")
