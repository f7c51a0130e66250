"""A trial's key is a hash of everything that fixes its outcome, and of nothing else."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from harness.errors import UsageError
from harness.matrix import spec as spec_module
from harness.matrix.imports import sources_of
from harness.matrix.spec import TrialSpec, by_seed, engine_files, engine_root, is_engine


@pytest.fixture
def spec(make_judge):
    judge = make_judge("focal_loss[gamma=1.5]")
    key = judge.plan.features[0].cells[0].candidate[1]
    return judge.plan.trials[key]


@pytest.mark.parametrize(
    "change",
    [
        {"data": "0" * 64}, {"model": "gcn[hidden=32]"}, {"arm": ()}, {"seed": 9},
        {"hardware": "t4"}, {"threads": 2}, {"engine": "x"}, {"sources": {}}, {"versions": {}},
        {"protocol": "other"},
    ],
)  # fmt: skip
def test_every_part_is_in_the_key(spec, change):
    assert spec.model_copy(update=change).key != spec.key


def test_a_copy_has_its_own_key_and_is_equal_as_far_as_its_parts_are(spec):
    known = spec.key
    anew = TrialSpec(**spec.model_dump() | {"seed": 9})
    copied = spec.model_copy(update={"seed": 9})
    assert copied == anew
    assert copied.key == anew.key != known
    assert spec.model_copy() == spec
    assert spec.model_copy().key == known


@pytest.mark.parametrize("text", ["chrome", '"seed":0', '{"seed":9}', "\\"])
def test_trials_of_all_seeds_have_the_keys_that_each_has_alone(spec, text):
    spec = spec.model_copy(update={"arm": (text, "seed"), "data_name": text})
    found = by_seed(spec, 12)
    assert [one.seed for one in found.values()] == list(range(12))
    assert {key: one.key for key, one in found.items()} == {key: key for key in found}
    assert found[spec.key] == spec


def test_the_key_survives_json(spec):
    assert TrialSpec.model_validate_json(spec.model_dump_json()).key == spec.key


def test_the_key_is_the_same_in_every_process(spec):
    code = "import sys; from harness.matrix.spec import TrialSpec as T; print(T.model_validate_json(sys.stdin.read()).key)"  # noqa: E501
    for salt in ("0", "1"):
        out = subprocess.run(
            [sys.executable, "-c", code], input=spec.model_dump_json(), text=True,
            capture_output=True, check=True, env={**os.environ, "PYTHONHASHSEED": salt},
        )  # fmt: skip
        assert out.stdout.strip() == spec.key


def test_the_arm_is_made_from_its_selections(spec):
    assert [str(feature) for feature in spec.features] == ["focal_loss[gamma=1.5]"]


def test_the_engine_is_the_training_code_alone():
    names = {path.as_posix().rpartition("/harness/")[2] for path in engine_files()}
    assert {"training/fit.py", "models/sage.py", "graphs/batch.py", "feature.py"} <= names
    rooms = {name.partition("/")[0] for name in names}
    assert not rooms & {
        "calibration",
        "cli",
        "doctor",
        "gates",
        "matrix",
        "report",
        "testing",
        "tuning",
    }


def test_what_a_feature_imports_from_its_project_is_in_the_key(tmp_path):
    found = []
    for place, text in enumerate(("X = 1", "X = 2", "X = 1")):
        folder = tmp_path / str(place)
        folder.mkdir()
        (folder / "spec_helper.py").write_text(text)
        file = folder / "importing.py"
        file.write_text("import torch, harness\n\nclass A:\n    import spec_helper\n")
        sources = sources_of(file, "importing", is_engine)
        found.append([(one.file.name, one.content) for one in sources])
    assert found[0] == found[2] == [("spec_helper.py", b"X = 1")]
    assert found[0] != found[1]


def test_features_that_import_the_engine_alone_have_their_own_file_in_the_key(spec):
    assert set(spec.sources) == {"focal_loss", "model:gcn"}


def test_a_file_that_is_gone_is_told_to_have_been_the_engines():
    root = engine_root()
    assert is_engine(root / "training" / "gone.py")
    assert not is_engine(root / "gates" / "gone.py")
    assert not is_engine(root / "training" / "gone.txt")
    assert not is_engine(root.parent / "training" / "gone.py")


def test_the_content_of_files_that_a_feature_reads_is_in_the_key(make_judge, tmp_path):
    path = tmp_path / "best.pt"

    def keys():
        plan = make_judge(f'param_groups[pretrained="{path}"]').plan
        return set(plan.features[0].cells[0].candidate), set(plan.features[0].cells[0].baseline)

    path.write_bytes(b"one")
    first, reference = keys()
    path.write_bytes(b"two")
    second, same = keys()
    assert not first & second
    assert reference == same
    path.unlink()
    with pytest.raises(UsageError, match=r"best\.pt: No such file"):
        keys()


def test_a_caches_key_goes_by_the_engine_and_the_versions_that_are_in_every_key(monkeypatch):
    before = spec_module.cache_key()
    assert spec_module.cache_key() == before
    with monkeypatch.context() as other:
        other.setattr(spec_module, "engine_key", lambda: "e" * 16)
        assert spec_module.cache_key() != before
    installed = spec_module.versions()
    for package in installed:
        with monkeypatch.context() as other:
            changed = {**installed, package: "0"}
            other.setattr(spec_module, "versions", lambda changed=changed: changed)
            same = spec_module.cache_key() == before
            assert same == (package not in spec_module.KEY_PACKAGES)
