"""Trials are trained on, and judged by, the bytes that were packed, or not at all."""

from __future__ import annotations

import shutil

import pytest

from harness.errors import DataError
from harness.matrix.intact import open_intact


def test_a_sound_data_set_is_opened(packed):
    graphs, folder = packed
    assert open_intact(folder) == graphs


@pytest.mark.parametrize("name", ["node_type", "label", "group"])
def test_a_flipped_bit_in_an_array_is_noticed(packed, tmp_path, name):
    folder = shutil.copytree(packed[1], tmp_path / "copy")
    content = bytearray((folder / f"{name}.npy").read_bytes())
    content[-1] ^= 1
    (folder / f"{name}.npy").write_bytes(content)
    with pytest.raises(DataError, match=r"(?s)copy: .*damaged.*delete the data set's folder"):
        open_intact(folder)


def test_a_judge_reads_no_groups_from_damaged_data(make_judge, write_trial, packed, tmp_path):
    judge = make_judge("planted_noop")
    folder = shutil.copytree(packed[1], tmp_path / "copy")
    content = bytearray((folder / "group.npy").read_bytes())
    content[-1] ^= 1
    (folder / "group.npy").write_bytes(content)
    judge.results.folders = dict.fromkeys(judge.results.folders, folder)
    key = judge.plan.features[0].cells[0].baseline[0]
    write_trial(judge, key)
    with pytest.raises(DataError, match="damaged"):
        judge.results.predictions(key)
