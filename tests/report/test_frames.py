"""Stored results as pandas frames: one row a trial, or one an epoch."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import harness
from harness.errors import DataError, StoreError
from harness.result import EpochRecord

SEEDS, ARMS, EPOCHS = 3, 2, 6


@pytest.fixture(scope="module")
def judge(make_stored):
    return make_stored("swa", models="gcn,sage", pairs=SEEDS)


@pytest.fixture
def folder(judge):
    return judge.store.root


def test_a_row_a_trial_says_what_it_was_and_what_it_found(judge, folder):
    frame = harness.load(folder)
    assert len(frame) == SEEDS * ARMS * 2
    assert set(frame["key"]) == set(judge.store.keys())
    for row in frame.to_dict("records"):
        result = judge.store.result(row["key"])
        assert row["f1"] == result.f1
        assert row["arm"] == "+".join(result.spec.arm)
        assert (row["model"], row["seed"]) == (result.spec.model, result.spec.seed)
        assert row["settings.batch_size"] == result.spec.settings.batch_size
        assert row["version.torch"] == result.hardware.versions["torch"]
    assert frame["collapse"].isna().all()


def test_rows_are_sorted_and_pivot_to_pairs(folder):
    frame = harness.load(folder)
    order = ["data", "model", "arm", "seed"]
    assert_frame_equal(frame[order], frame[order].sort_values(order, ignore_index=True))
    pairs = frame[frame["model"] == "gcn"].pivot_table("f1", "seed", "arm")
    assert pairs.shape == (SEEDS, ARMS)
    assert (pairs["focal_loss+swa"] - pairs["focal_loss"]).notna().all()


def test_a_row_an_epoch_holds_the_history(folder):
    frame = harness.load(folder, per="epoch")
    assert len(frame) == SEEDS * ARMS * 2 * EPOCHS
    assert {*EpochRecord.model_fields, "key", "arm", "best"} <= set(frame.columns)
    assert (frame.groupby("key")["best"].sum() == 1).all()
    assert frame.groupby("key")["epoch"].apply(list).map(lambda each: each == [*range(6)]).all()


def test_the_command_line_writes_what_pandas_reads_back(folder, tmp_path, ablate):
    target = tmp_path / "trials.csv"
    ablate("report", folder, "--format", "dataframe", "--output", target)
    frame = harness.load(folder)
    read = pd.read_csv(target)
    assert_frame_equal(read[["key", "f1", "seed"]], frame[["key", "f1", "seed"]])
    printed = ablate("report", folder, "--format", "dataframe", "--per", "epoch").stdout
    assert len(printed.splitlines()) == 1 + SEEDS * ARMS * 2 * EPOCHS


def test_a_folder_without_results_is_said(tmp_path):
    with pytest.raises(DataError, match="no finished trial") as caught:
        harness.load(tmp_path)
    assert "--out" in str(caught.value.mend)


def test_what_a_row_is_has_two_answers(folder):
    with pytest.raises(ValueError, match="graph"):
        harness.load(folder, per="graph")


def test_a_damaged_result_is_named(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    broken = next(copy.glob("trials/*/result.json"))
    broken.write_text("{")
    with pytest.raises(StoreError) as caught:
        harness.load(copy)
    assert str(broken) in str(caught.value)
