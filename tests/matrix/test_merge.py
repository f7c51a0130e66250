"""Stores of two machines become one: real runs of one thread and of two stand for the machines."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from harness.config import Override, RunConfig
from harness.errors import DataError, HarnessError, StoreError, UsageError
from harness.feature import FEATURES
from harness.gates.words import Verdict
from harness.graphs.dataset import save
from harness.graphs.sources import silent
from harness.hardware import describe
from harness.matrix import ablation
from harness.matrix import merge as merge_module
from harness.matrix import spec as spec_module
from harness.matrix.ablation import prepare
from harness.matrix.merge import merge
from harness.matrix.records import Failure
from harness.matrix.store import GateScores, Store
from harness.matrix.stored import open_stored
from harness.metrics import Confusion
from harness.report.markdown import to_markdown
from harness.report.summary import summarise
from harness.seal import unsealed
from harness.testing import planted_graphs

PLUGIN = Path(__file__).parent / "planted_features.py"
ONE, TWO = (describe("cpu", threads).kind for threads in (1, 2))


@pytest.fixture(scope="session")
def make_config(packed, tmp_path_factory):
    """A small question: ``make_config(out, threads=2)``."""
    root = tmp_path_factory.mktemp("root")

    def make(out, **more):
        # The policy asks an insight for F1 no worse, and a feature that does nothing is IDENTICAL;
        # on a busy machine only a wide time ratio is certain.
        given = {
            "data": str(packed[1]), "features": "planted_insight", "models": "gcn[hidden=16]",
            "baseline": "plain", "seeds": 3, "epochs": 15, "learning_rate": 0.01,
            "warmup_epochs": 100, "batch_size": 32,
            "policy": "claims", "jobs": 2, "hardware": f"{ONE},{TWO}", "plugins": str(PLUGIN),
            "timing_epochs": 1, "timing_blocks": 6, "data_root": root, "out": out,
            "overrides": {"planted_insight": Override(max_ratio=50)},
        }  # fmt: skip
        return RunConfig(**{**given, **more})

    return make


@pytest.fixture(scope="session")
def machines(make_config, tmp_path_factory):
    """Two finished stores, trained for real with one thread and with two."""
    folders = [tmp_path_factory.mktemp("stores") / name for name in ("one", "two")]
    for threads, folder in enumerate(folders, 1):
        prepare(make_config(folder, threads=threads), silent).run(lambda _: None)
    return folders


@pytest.fixture
def copies(machines, tmp_path):
    """Copies of the two stores that a test may change."""
    return [shutil.copytree(one, tmp_path / f"copy-{one.name}") for one in machines]


@pytest.fixture
def join(tmp_path):
    """Merge into ``tmp_path/out`` unless told otherwise."""

    def call(*folders, out=None):
        return merge(folders, out or tmp_path / "out", tmp_path / "no-data")

    return call


def _tree(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _first_trial(folder):
    return min((folder / "trials").iterdir())


def _change_json(path, change):
    value = unsealed(json.loads(path.read_text()))
    change(value)
    path.write_text(json.dumps(value))


def test_a_report_shows_the_cells_of_both_kinds(machines, join, tmp_path):
    for folder in machines:
        alone = summarise(open_stored(folder))
        assert alone.verdict is Verdict.INCONCLUSIVE
        assert "not run on" in alone.features[0].why
    merged = join(*machines)
    summary = summarise(open_stored(tmp_path / "out"))
    assert summary.verdict is Verdict.PASS, summary.features[0].why
    verdict = summary.features[0].verdict
    assert [cell.key.hardware for cell in verdict.cells] == sorted([ONE, TWO])
    assert verdict.across_hardware
    assert merged.missing == ()
    assert merged.trials == sum(len(Store(folder).keys()) for folder in machines)


def test_how_far_a_merge_and_a_report_are_is_told_piece_by_piece(machines, tmp_path):
    told = []
    merged = merge(
        machines, tmp_path / "out", tmp_path / "no-data", lambda *step: told.append(step)
    )
    summarise(open_stored(tmp_path / "out"), lambda *step: told.append(step))
    pieces = {
        "trials looked for": len(merged.plan.trials),
        "trials merged": merged.trials,
        "features judged": len(merged.plan.features),
    }
    assert told == [(k, count, what) for what, count in pieces.items() for k in range(1, count + 1)]


def test_both_sides_provenance_is_kept(machines, join, tmp_path):
    join(*machines)
    summary = summarise(open_stored(tmp_path / "out"))
    assert {machine.kind for machine in summary.machines} == {ONE, TWO}
    sources = summary.plan.sources
    assert [one.folder for one in sources] == [str(folder.resolve()) for folder in machines]
    assert [one.hardware for one in sources] == [(ONE,), (TWO,)]
    text = to_markdown(summary).replace("\\", "")
    assert all(f"{kind}: " in text for kind in (ONE, TWO))
    assert all(str(folder.resolve()) in text for folder in machines)
    for folder in machines:
        ours = _first_trial(folder) / "result.json"
        theirs = tmp_path / "out" / "trials" / ours.parent.name / "result.json"
        assert ours.read_bytes() == theirs.read_bytes()


def test_merging_again_or_in_another_order_gives_the_same_store(machines, join, tmp_path):
    one, two = machines
    first, second = tmp_path / "first", tmp_path / "second"
    assert join(one, two, out=first).added > 0
    tree = _tree(first)
    join(two, one, two, out=second)
    assert _tree(second) == tree
    again = join(one, two, out=first)
    assert again.added == 0
    assert _tree(first) == tree
    join(two, first, out=tmp_path / "third")
    assert _tree(tmp_path / "third") == tree
    join(one, out=tmp_path / "fourth")
    join(two, out=tmp_path / "fourth")
    assert _tree(tmp_path / "fourth") == tree


def test_a_kind_that_no_machine_ran_keeps_the_verdict_from_pass(
    copies, make_config, join, tmp_path
):
    kinds = f"{ONE},{TWO},a100"
    for threads, folder in enumerate(copies, 1):
        prepare(make_config(folder, threads=threads, hardware=kinds), silent)
    merged = join(*copies)
    assert merged.missing == ("a100",)
    summary = summarise(open_stored(tmp_path / "out"))
    assert summary.verdict is Verdict.INCONCLUSIVE
    assert summary.features[0].why.startswith("not run on: a100")
    assert "a100" in to_markdown(summary)


def test_what_one_machine_alone_asked_for_is_asked_of_all(copies, make_config, join, tmp_path):
    prepare(make_config(copies[0], threads=1, hardware=ONE), silent)
    prepare(make_config(copies[1], threads=2, hardware=f"{TWO},t4"), silent)
    join(*copies)
    plan = open_stored(tmp_path / "out").plan
    assert plan.hardware == tuple(sorted([ONE, TWO, "t4"]))
    cells = {cell.hardware: cell.here for cell in plan.features[0].cells}
    assert cells == {ONE: True, TWO: True, "t4": False}


def test_a_machine_that_is_half_done_does_not_hold_back_the_other(copies, join, tmp_path):
    store = Store(copies[1])
    for key in list(store.keys()):
        if store.result(key).spec.seed >= 2:
            store.drop(key)
    join(*copies)
    judge = open_stored(tmp_path / "out")
    cells = judge.verdict(judge.plan.features[0]).cells
    runs = {cell.key.hardware: len(cell.gates["collapse"].candidate) for cell in cells}
    assert runs == {ONE: 10, TWO: 2}
    assert summarise(judge).verdict is Verdict.INCONCLUSIVE


def test_a_half_done_store_is_completed_by_its_other_half(copies, machines, join, tmp_path):
    other = shutil.copytree(copies[0], tmp_path / "copy-other")
    keys = Store(other).keys()
    for key in keys:
        Store(copies[0] if int(key, 16) % 2 else other).drop(key)
    Store(other).fail(keys[0], Failure(kind="killed", detail="no memory"))
    Store(copies[0]).fail(keys[0], Failure(kind="killed", detail="no memory"))
    join(copies[0], other)
    assert Store(tmp_path / "out").keys() == keys
    assert Store(tmp_path / "out").failure(keys[0]) is None


def test_a_failure_stays_where_no_store_has_the_result(copies, join, tmp_path):
    key = _first_trial(copies[0]).name
    Store(copies[0]).drop(key)
    Store(copies[0]).fail(key, Failure(kind="error", detail="it broke"))
    join(*copies)
    assert Store(tmp_path / "out").failure(key).detail == "it broke"


def test_a_failure_that_does_not_count_its_attempts_is_one(copies, join, tmp_path):
    other = shutil.copytree(copies[0], tmp_path / "copy-other")
    key = _first_trial(copies[0]).name
    for folder in (copies[0], other):
        Store(folder).drop(key)
    for _ in range(2):
        Store(other).fail(key, Failure(kind="killed", detail="twice"))
    (copies[0] / "failures").mkdir(exist_ok=True)
    (copies[0] / "failures" / f"{key}.json").write_text('{"kind": "killed", "detail": "once"}')
    join(copies[0], other)
    assert Store(tmp_path / "out").failure(key) == Store(other).failure(key)


@pytest.mark.parametrize("turned", [False, True])
def test_a_trial_that_one_machine_gave_up_is_not_measured_in_the_merged_store(
    copies, join, tmp_path, turned
):
    other = shutil.copytree(copies[0], tmp_path / "copy-other")
    key = open_stored(other).plan.features[0].cells[0].candidate[1]
    for folder, attempts in ((copies[0], 2), (other, 1)):
        Store(folder).drop(key)
        for _ in range(attempts):
            Store(folder).fail(key, Failure(kind="killed", detail=f"no memory in {folder.name}"))
    assert summarise(open_stored(other)).features[0].problems == ()
    join(*((other, copies[0]) if turned else (copies[0], other)), copies[1])
    merged, alone = (summarise(open_stored(one)) for one in (tmp_path / "out", copies[0]))
    assert merged.verdict is alone.verdict is Verdict.NOT_MEASURED
    assert merged.features[0].problems == alone.features[0].problems
    assert f"no memory in {copies[0].name}" in merged.features[0].why


def test_of_two_series_of_blocks_the_longer_is_kept_and_none_are_strung_together(
    copies, machines, join, tmp_path
):
    other = shutil.copytree(copies[0], tmp_path / "copy-other")
    (path,) = (copies[0] / "blocks").iterdir()
    whole = json.loads(path.read_text())
    (other / "blocks" / path.name).write_text(json.dumps(whole[:3]))
    join(other, *copies)
    assert json.loads((tmp_path / "out" / "blocks" / path.name).read_text()) == whole


def test_caches_work_and_trials_of_other_plans_are_left(copies, make_config, join, tmp_path):
    assert (copies[0] / "cache").is_dir()
    prepare(make_config(copies[0], threads=1, seeds=3, learning_rate=0.02), silent)
    prepare(make_config(copies[1], threads=2, seeds=3, learning_rate=0.02), silent)
    merged = join(*copies)
    assert merged.trials == 0
    assert merged.left == sum(len(Store(folder).keys()) for folder in copies)
    assert not (tmp_path / "out" / "cache").exists()
    assert not (tmp_path / "out" / "work").exists()
    assert summarise(open_stored(tmp_path / "out")).verdict is Verdict.NOT_MEASURED


def test_two_outcomes_of_one_trial_are_told_and_chosen_alike(copies, join, tmp_path):
    other = shutil.copytree(copies[0], tmp_path / "copy-other")
    key = _forge(other)
    first = join(copies[0], other, out=tmp_path / "first")
    join(other, copies[0], out=tmp_path / "second")
    assert first.differing == (key,)
    assert first.twice == first.trials - 1
    tree = _tree(tmp_path / "first")
    assert _tree(tmp_path / "second") == tree
    assert join(other, out=tmp_path / "first").twice == 0  # what is there already was run once
    assert _tree(tmp_path / "first")[f"trials/{key}/gate.npz"] == tree[f"trials/{key}/gate.npz"]


def _forge(folder, *, f1=None, write=None):
    """Change a prediction and whatever vouches for it; returns the trial's key."""
    trial = _first_trial(folder)
    gate = GateScores.from_bytes((trial / "gate.npz").read_bytes())
    predicted = gate.predicted.copy()
    predicted[0] ^= 1
    forged = GateScores(gate.index, gate.label, predicted, gate.probability)
    content = forged.to_bytes() if write is None else write(forged)
    (trial / "gate.npz").write_bytes(content)

    def change(result):
        result["gate_digest"] = hashlib.sha256(content).hexdigest()
        result["f1"] = Confusion.of(gate.label, predicted).f1 if f1 is None else f1

    _change_json(trial / "result.json", change)
    return trial.name


def _compressed(gate):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **vars(gate))
    return buffer.getvalue()


def _outside(gate):
    return GateScores(gate.index + 10**6, gate.label, gate.predicted, gate.probability).to_bytes()


def _plan(change):
    return lambda folder: _change_json(folder / "plan.json", change)


def _result(change):
    return lambda folder: _change_json(_first_trial(folder) / "result.json", change)


def _flip_a_bit(folder):
    path = _first_trial(folder) / "gate.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _swap(folder):
    first, second = sorted((folder / "trials").iterdir())[:2]
    shutil.rmtree(second)
    first.rename(second)


def _link(name):
    def change(folder):
        path = _first_trial(folder) / name if name != "trials" else folder / name
        kept = folder.parent / f"elsewhere-{path.name}"
        path.rename(kept)
        path.symlink_to(kept)

    return change


def _pipe(folder):
    path = _first_trial(folder) / "result.json"
    path.unlink()
    os.mkfifo(path)


def _negative_block(folder):
    (path,) = (folder / "blocks").iterdir()
    _change_json(path, lambda blocks: blocks[0]["baseline"][0].update(epochs=[-1.0]))


def _tensorboard_link(folder):
    below = _first_trial(folder) / "tensorboard"
    below.mkdir()
    (below / "events").symlink_to("/etc/hostname")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (_flip_a_bit, "not the file that the trial wrote"),
        (lambda folder: _forge(folder, f1=0.999), "its predictions have an F1 of"),
        (lambda folder: _forge(folder, write=_compressed), "compressed"),
        (lambda folder: _forge(folder, write=_outside), "not those of the gate part"),
        (lambda folder: _forge(folder, write=lambda _: b"PK"), "cannot be used"),
        (lambda folder: (_first_trial(folder) / "gate.npz").unlink(), "is missing"),
        (_swap, "another trial"),
        (_result(lambda result: result["spec"].update(seed=77)), "another trial"),
        (_result(lambda result: result["hardware"].update(kind="a100")), "ran on a100"),
        (_result(lambda result: result["hardware"]["versions"].update(torch="1")), "torch 1"),
        (_result(lambda result: result.update(surprise=1)), "surprise"),
        (_result(lambda result: result.update(gate_digest=None)), "no predictions"),
        (_link("result.json"), "symbolic link"),
        (_link("gate.npz"), "symbolic link"),
        (_link("trials"), "symbolic link"),
        (_pipe, "no plain file"),
        (_tensorboard_link, "no plain file"),
        (_negative_block, "greater than 0"),
        (lambda folder: (folder / "plan.json").write_text("[" * 10**5), "not JSON"),
        (lambda folder: (folder / "plan.json").write_text("{}"), "Field required"),
        (_plan(lambda plan: plan["trials"].popitem()), "not those of their cell"),
        (_plan(lambda plan: next(iter(plan["trials"].values())).update(seed=5)), "another one"),
        (
            _plan(lambda plan: plan["features"][0]["cells"][0].update(timing="../../x")),
            "not those of their cell",
        ),
        (_plan(lambda plan: plan["features"][0]["cells"].pop()), "not one for each"),
        (
            _plan(lambda plan: plan["data"].update({"../x": next(iter(plan["data"].values()))})),
            "no content hash",
        ),
    ],
)
def test_a_store_that_is_not_what_it_claims_is_refused_and_nothing_written(
    copies, join, tmp_path, damage, says
):
    damage(copies[0])
    with pytest.raises(StoreError) as caught:
        join(*copies)
    assert says in caught.value.what
    assert caught.value.where.startswith(str(copies[0]))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "what", "ours", "theirs"),
    [
        ({"epochs": 3}, "setting epochs", "15", "3"),
        ({"baseline": "amp"}, "baseline", "nothing", "amp"),
        ({"models": "gcn[hidden=16],gin"}, "models", "gcn", "gin"),
        ({"policy": "roadmap"}, "policy", "claims", "roadmap"),
        ({"seeds": 5}, "pairs of a cell", "3", "5"),
        ({"timing_epochs": 2}, "timing of epochs", "1", "2"),
        ({"features": "planted_noop"}, "features", "planted_insight", "planted_noop"),
        ({"overrides": {}}, "feature planted_insight", "50", "None"),
    ],
)
def test_another_question_is_refused_with_both_folders_and_values(  # noqa: PLR0913, PLR0917
    machines, make_config, join, tmp_path, changes, what, ours, theirs
):
    prepare(make_config(tmp_path / "other", threads=2, **changes), silent)
    _refused(join, machines[0], tmp_path / "other", what, ours, theirs)


def _refused(join, one, other, what, ours, theirs):
    with pytest.raises(StoreError) as caught:
        join(one, other)
    said = caught.value.what
    assert f"{what}" in said
    assert str(one.resolve()) in said
    assert str(other.resolve()) in said
    left, right = said.split(f" in {one.resolve()}, ")
    assert ours in left
    assert theirs in right


def test_other_data_are_refused(machines, make_config, join, tmp_path):
    other = save(planted_graphs(240, seed=4), tmp_path / "planted-4")
    folder = tmp_path / "other"
    prepare(make_config(folder, threads=2, data=str(tmp_path / "planted-4")), silent)
    ours = next(iter(open_stored(machines[0]).plan.data))
    _refused(join, machines[0], folder, "data", ours, other.content)


def test_another_engine_is_refused(machines, make_config, join, tmp_path, monkeypatch):
    ours = spec_module.engine_key()
    monkeypatch.setattr(spec_module, "engine_key", lambda: "e" * 32)
    prepare(make_config(tmp_path / "other", threads=2), silent)
    _refused(join, machines[0], tmp_path / "other", "engine", ours, "e" * 32)


def test_another_file_of_a_feature_is_refused(machines, make_config, join, tmp_path, monkeypatch):
    feature = FEATURES.get("planted_insight")
    ours = feature.source_key()
    monkeypatch.setattr(feature, "source_key", classmethod(lambda _: "f" * 32))
    prepare(make_config(tmp_path / "other", threads=2), silent)
    what = "file of planted_insight"
    _refused(join, machines[0], tmp_path / "other", what, ours, "f" * 32)


@pytest.mark.parametrize(("release", "fits"), [("9.9.9", False), ("{}+cu999", True)])
def test_releases_must_agree_and_builds_need_not(
    machines, make_config, join, tmp_path, monkeypatch, release, fits
):
    """Between kinds of hardware: a GPU's build of torch has another name than a CPU's."""
    real = describe("cpu", 2)
    torch = real.versions["torch"]
    given = release.format(torch.partition("+")[0])
    other = real.model_copy(update={"versions": {**real.versions, "torch": given}})
    monkeypatch.setattr(ablation, "describe", lambda *_: other)
    prepare(make_config(tmp_path / "other", threads=2), silent)
    if fits:
        join(machines[0], tmp_path / "other")
        # On one kind of hardware there is one build.
        _refused(join, machines[1], tmp_path / "other", "versions", torch, given)
    else:
        ours = torch.partition("+")[0]
        _refused(join, machines[0], tmp_path / "other", "release of torch", ours, given)


def test_a_machines_own_store_is_no_place_to_merge_into(copies, join, tmp_path):
    with pytest.raises(UsageError, match="own store"):
        join(*copies, out=copies[0])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no plan"):
        join(copies[0], tmp_path / "empty")
    with pytest.raises(UsageError, match="no such folder"):
        join(copies[0], tmp_path / "nowhere")


def test_an_interrupted_merge_is_given_again(copies, join, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(merge_module, "write_json", full)
        with pytest.raises(OSError, match="No space"):
            join(*copies)
    with pytest.raises(DataError, match="no plan to report on"):
        open_stored(tmp_path / "out")
    join(*copies)
    join(*copies, out=tmp_path / "whole")
    assert _tree(tmp_path / "out") == _tree(tmp_path / "whole")


def test_a_trial_that_changes_while_it_is_merged_is_not_copied(copies, join, tmp_path, monkeypatch):
    def change_and_choose(*arguments):
        trial = _first_trial(copies[0])
        (trial / "metrics_history.csv").write_text("epoch\n")
        return choose(*arguments)

    choose = merge_module.best_record
    monkeypatch.setattr(merge_module, "best_record", change_and_choose)
    with pytest.raises(StoreError, match="changed while it was merged"):
        join(*copies)
    assert not (tmp_path / "out" / "plan.json").exists()


def test_links_in_the_merged_store_are_not_followed_either(copies, join, tmp_path):
    join(*copies)
    victim = tmp_path / "victim"
    victim.mkdir()
    shutil.rmtree(tmp_path / "out" / "trials")
    (tmp_path / "out" / "trials").symlink_to(victim)
    with pytest.raises(StoreError, match="symbolic link"):
        join(*copies)
    assert list(victim.iterdir()) == []


def test_data_must_be_on_this_machine_and_sound(copies, packed, tmp_path):
    def elsewhere(plan):
        for data in plan["data"].values():
            data["folder"] = "/nowhere"

    for folder in copies:
        _change_json(folder / "plan.json", elsewhere)
    with pytest.raises(DataError, match="is not on this machine"):
        merge(copies, tmp_path / "out", tmp_path)
    root = tmp_path / "root"
    shutil.copytree(packed[1], root / "planted")
    merge(copies, tmp_path / "out", root)
    assert summarise(open_stored(tmp_path / "out")).verdict is Verdict.PASS
    path = root / "planted" / "group.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(HarnessError, match="is not on this machine"):
        merge(copies, tmp_path / "out-2", root)
