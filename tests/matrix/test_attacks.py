"""A store that was made to deceive is merged: what it cannot do, and the one thing it can.

The store is a sound one, changed by somebody who knows how keys and digests are made and makes
them anew. Nothing in it is run, nothing is written outside, and none of its lies about data, code,
arms or predictions' graphs comes through. Predictions that were made up as a whole, consistently,
are believed: nobody can tell them from a run's own.
"""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest

from harness.cli.merge import _said
from harness.errors import HarnessError, StoreError
from harness.gates.words import Verdict
from harness.graphs.dataset import open_folder
from harness.hashing import content_key
from harness.matrix.merge import merge
from harness.matrix.planned import PLAN_FILE
from harness.matrix.store import GATE, RESULT, GateScores, Store
from harness.matrix.stored import open_stored
from harness.metrics import Confusion
from harness.report.summary import summarise
from harness.seal import unsealed
from tests.fuzz.made_up import make_store


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A finished store, its data beside it."""
    folder = tmp_path_factory.mktemp("sound")
    make_store(folder)
    return folder


@pytest.fixture
def store(sound, tmp_path):
    """A copy of the store that a test may change."""
    return shutil.copytree(sound / "out", tmp_path / "store")


@pytest.fixture
def join(sound, tmp_path):
    """Merge the store by itself, or with others, into ``tmp_path/out``."""

    def call(*folders):
        return merge(folders, tmp_path / "out", tmp_path / "no-data")

    return call


def _bare(path):
    """A record without its digest, which whoever forges it leaves out or makes anew."""
    return unsealed(json.loads(path.read_text()))


def _change(path, change):
    value = _bare(path)
    change(value)
    path.write_text(json.dumps(value))


def _plan(change):
    return lambda folder: _change(folder / PLAN_FILE, change)


def _predict(trial, change):
    """Change what a trial predicted, and make anew whatever vouches for it."""
    gate = GateScores.from_bytes((trial / GATE).read_bytes())
    arrays = {name: array.copy() for name, array in vars(gate).items()}
    change(arrays)
    content = GateScores(**arrays).to_bytes()
    (trial / GATE).write_bytes(content)
    f1 = Confusion.of(arrays["label"], arrays["predicted"]).f1
    digest = hashlib.sha256(content).hexdigest()
    _change(trial / RESULT, lambda result: result.update(gate_digest=digest, f1=f1))


def _forged(change):
    def damage(folder):
        for trial in (folder / "trials").iterdir():
            _predict(trial, change)

    return damage


def _labels_follow(arrays):
    arrays["label"] = arrays["predicted"].copy()
    arrays["label"][:3] = 1
    arrays["predicted"] = arrays["label"]


def _easy_graphs(arrays):
    right = arrays["label"] == arrays["predicted"]
    for name, array in arrays.items():
        arrays[name] = array[right]


def _other_graphs(arrays):
    arrays["index"] = (arrays["index"] + 1) % 120


def _anew(plan, change):
    """Change every trial of a plan, and give each the key that it then has."""
    new = {}
    for key, spec in plan["trials"].items():
        changed = json.loads(json.dumps(spec))
        change(changed)
        new[key] = content_key(changed), changed
    plan["trials"] = dict(new.values())
    for feature in plan["features"]:
        for cell in feature["cells"]:
            for arm in ("baseline", "candidate"):
                cell[arm] = [new[key][0] for key in cell[arm]]
            if cell["here"]:
                visits = {name: plan["timing"][name] for name in ("warmup_epochs", "epochs")}
                cell["timing"] = content_key([cell["baseline"][0], cell["candidate"][0], visits])
    return {old: key for old, (key, _) in new.items()}


def _trials_anew(change):
    """The same for the results and records of a store."""

    def damage(folder):
        path = folder / PLAN_FILE
        plan = _bare(path)
        timings = [cell["timing"] for one in plan["features"] for cell in one["cells"]]
        keys = _anew(plan, change)
        path.write_text(json.dumps(plan))
        for trial in list((folder / "trials").iterdir()):
            _change(trial / RESULT, lambda result: change(result["spec"]))
            trial.rename(trial.with_name(keys[trial.name]))
        after = [cell["timing"] for one in plan["features"] for cell in one["cells"]]
        for old, new in zip(timings, after, strict=True):
            block = folder / "blocks" / f"{old}.json"
            if block.exists():
                block.rename(block.with_name(f"{new}.json"))

    return damage


def _swap_arms(folder):
    """Call the baseline the candidate: whatever made it worse now makes it better."""

    def change(plan):
        for feature in plan["features"]:
            for cell in feature["cells"]:
                cell["baseline"], cell["candidate"] = cell["candidate"], cell["baseline"]
                if cell["here"]:
                    visits = {name: plan["timing"][name] for name in ("warmup_epochs", "epochs")}
                    keys = [cell["baseline"][0], cell["candidate"][0]]
                    cell["timing"] = content_key([*keys, visits])

    _change(folder / PLAN_FILE, change)


def _another_arm(spec):
    if spec["arm"] != ["focal_loss"]:
        spec["arm"] = ["focal_loss", "grad_accumulation"]


def _one_seed_cheats(spec):
    if spec["seed"] == 1 and len(spec["arm"]) > 1:
        spec["arm"] = ["focal_loss", "param_groups"]


def _another_zero(plan):
    spec = next(spec for spec in plan["trials"].values() if spec["seed"] == 1)
    assert spec["settings"]["weight_decay"] == 0
    spec["settings"]["weight_decay"] = -0.0


def _rename(plan):
    plan["features"][0]["name"] = "amp"


def _fewer_notes(plan):
    for data in plan["data"].values():
        data["notes"] = []


def _more_graphs(plan):
    for data in plan["data"].values():
        data["graphs"] = 10**9


def _fewer_vulnerable(plan):
    for data in plan["data"].values():
        data["vulnerable"] = 1


def _other_name(plan):
    for data in plan["data"].values():
        data["name"] = "production"


def _no_features(plan):
    plan["features"] = []


def _no_cells(plan):
    plan["features"][0]["cells"] = []


def _long_series(folder):
    (path,) = (folder / "blocks").iterdir()
    _change(path, lambda blocks: blocks.extend(blocks[:1] * 5))


def _infinite_times(folder):
    (path,) = (folder / "blocks").iterdir()
    path.write_text(json.dumps(_bare(path)).replace('"cpu": 1.0', '"cpu": Infinity', 1))


def _perfect_references(folder):
    path = min((folder / "references").iterdir())
    _change(path, lambda figures: figures.update(always_vulnerable=-5.0))


def _other_protocol(spec):
    spec["protocol"] = "the easy ones first/1"


def _folder_upwards(folder):
    (folder / "trials" / "..x").mkdir()
    _change(
        folder / PLAN_FILE,
        lambda plan: plan["trials"].update({"../../x": next(iter(plan["trials"].values()))}),
    )


def _blocks_linked(folder):
    (folder / "blocks").rename(folder.parent / "blocks-elsewhere")
    (folder / "blocks").symlink_to(folder.parent / "blocks-elsewhere")


@pytest.mark.parametrize(
    ("attack", "says"),
    [
        (_forged(_labels_follow), "labels are not those of the data set"),
        (_forged(_easy_graphs), "not those of the gate part"),
        (_forged(_other_graphs), "not those of the gate part"),
        (_swap_arms, "not what its name says"),
        (_trials_anew(_another_arm), "not what its name says"),
        (_trials_anew(_one_seed_cheats), "not those of their cell"),
        (_trials_anew(_other_protocol), "the easy ones first"),
        (_plan(_another_zero), "another one than its key says"),
        (_plan(_rename), "not what its name says"),
        (_plan(_fewer_notes), "notes is ()"),
        (_plan(_more_graphs), "graphs is 1000000000"),
        (_plan(_fewer_vulnerable), "vulnerable is 1"),
        (_plan(_other_name), "name is 'production'"),
        (_plan(_no_features), "no feature"),
        (_plan(_no_cells), "not one for each"),
        (_plan(lambda plan: plan.update(budget=2)), "not those of their cell"),
        (_plan(lambda plan: plan.update(budget=10**9)), "pairs of a cell"),
        (_long_series, "10 timed blocks where its plan allows 5"),
        (_infinite_times, "finite number"),
        (_perfect_references, "greater than or equal to 0"),
        (_folder_upwards, "another one than its key says"),
        (_blocks_linked, "symbolic link"),
    ],
)
def test_a_lie_is_refused_and_nothing_written(store, join, tmp_path, attack, says):
    attack(store)
    before = {path for path in tmp_path.rglob("*") if store not in path.parents}
    with pytest.raises(StoreError) as caught:
        join(store)
    assert says in caught.value.what
    assert caught.value.where
    assert {path for path in tmp_path.rglob("*") if store not in path.parents} == before


def test_data_that_are_not_those_of_the_hash_are_not_used(sound, store, join, tmp_path):
    """A plan may name a folder of the attacker's own, whose description claims the right hash."""
    own = shutil.copytree(sound / "data", tmp_path / "own")
    label = np.load(own / "label.npy", allow_pickle=False)
    np.save(own / "label.npy", 1 - label)
    _change(
        store / PLAN_FILE,
        lambda plan: [one.update(folder=str(own)) for one in plan["data"].values()],
    )
    with pytest.raises(HarnessError, match="is not on this machine"):
        join(store)


def test_this_machines_own_data_come_before_those_that_a_plan_names(sound, store, tmp_path):
    """The arrays are hashed and notes are not: those of the attacker's copy would be believed."""
    root = tmp_path / "root"
    shutil.copytree(sound / "data", root / "planted")
    own = shutil.copytree(sound / "data", tmp_path / "a-own")
    _change(own / "info.json", lambda info: info.update(notes=["All real."]))

    def change(plan):
        for data in plan["data"].values():
            data.update(folder=str(own), notes=["All real."])

    _change(store / PLAN_FILE, change)
    with pytest.raises(StoreError, match="notes"):
        merge([store], tmp_path / "out", root)


def test_data_that_are_packed_under_another_name_too_are_no_lie(sound, store, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(sound / "data", root / "b")
    other = shutil.copytree(sound / "data", root / "a")
    _change(other / "info.json", lambda info: info.update(name="another"))
    assert merge([store], tmp_path / "out", root).trials > 0


def test_a_feature_of_other_code_is_told(store, join):
    """Keys hold the hashes of the code, so no gate of today's code takes such a trial."""

    def change(spec):
        spec["engine"] = "0" * 16
        spec["sources"] = dict.fromkeys(spec["sources"], "0" * 16)

    assert join(store).foreign == ()
    _trials_anew(change)(store)
    shutil.rmtree(store.parent / "out")
    merged = join(store)
    assert merged.foreign == ("the training code", "focal_loss", "model:gcn", "swa")
    said = list(_said(merged, store.parent / "out"))
    assert any(line.startswith("not the code of this machine: the training code") for line in said)


@pytest.mark.parametrize(
    "change",
    [
        {
            "complexity": {
                "lines": 1,
                "cognitive": 0,
                "hooks": [],
                "dependencies": [],
                "features": 1,
            }
        },
        {"claim": "insight"},
    ],
)
def test_what_the_code_here_says_of_a_feature_stands(store, join, change):
    _change(store / PLAN_FILE, lambda plan: plan["features"][0].update(change))
    with pytest.raises(StoreError, match=f"says of swa that its {next(iter(change))} is"):
        join(store)


def test_margins_of_one_store_alone_are_no_others(sound, store, join):
    _change(
        store / PLAN_FILE,
        lambda plan: plan["features"][0]["override"].update(margin=-1.0, max_ratio=999.0),
    )
    with pytest.raises(StoreError, match="feature swa differs"):
        join(sound / "out", store)


def test_predictions_that_were_made_up_as_a_whole_are_believed(store, join, tmp_path, sound):
    """The limit: right graphs, right labels, invented predictions. It stands in the guide."""
    graphs = open_folder(sound / "data")
    first = Store(store)
    for key in first.keys():  # noqa: SIM118 - a store is no mapping
        if "swa" in str(first.result(key).spec.arm):
            _predict(
                store / "trials" / key, lambda arrays: arrays.update(predicted=arrays["label"])
            )
    merged = join(store)
    assert merged.trials > 0
    summary = summarise(open_stored(tmp_path / "out"))
    cell = next(cell for cell in summary.features[0].verdict.cells if cell.gates)
    assert cell.f1.decision.mean > 0
    assert summary.verdict is not Verdict.PASS  # t4 was required, and nobody ran there
    assert len(graphs) == 120
