"""What authors may hand to the contract."""

from __future__ import annotations

import pytest
import torch

from features.swa import SWA
from harness.errors import UsageError
from harness.selection import Selection
from harness.testing import make_case, planted_graphs
from harness.testing.case import Case, one_thread


@pytest.mark.parametrize("given", [SWA, SWA(), "swa", Selection("swa"), "swa[start=0.5]"], ids=repr)
def test_a_class_an_object_or_a_selection_will_do(given):
    assert make_case(given).feature == SWA()


def test_values_are_kept():
    assert make_case("swa[start=0.6]").feature.start == 0.6
    assert make_case(SWA(start=0.5)).feature.start == 0.5


def test_the_models_are_the_built_in_ones_with_gin_first_or_those_asked_for():
    assert list(map(str, make_case("swa").models)) == ["gin", "gat", "gcn", "sage"]
    given = ["gat[heads=2]", Selection("gcn")]
    assert list(map(str, make_case("swa", given).models)) == ["gat[heads=2]", "gcn"]


def test_what_is_not_there_is_named():
    with pytest.raises(UsageError, match="no feature 'swe'"):
        make_case("swe")


def test_runs_are_small_and_one_class_is_no_collapse_in_them(tmp_path):
    case = Case(SWA(), models=(Selection("gcn"),), graphs=planted_graphs(40), seed=3)
    spec = case.spec(case.arm, settings={"epochs": 7}, folder=tmp_path)
    assert (spec.seed, spec.settings.epochs, spec.settings.warmup_epochs) == (3, 7, 7)
    assert spec.arm == (SWA(),)
    assert spec.model == Selection("gcn")
    assert spec.folder == tmp_path
    assert case.spec((), settings={"warmup_epochs": 1}).settings.warmup_epochs == 1


def test_one_thread_is_for_the_block_alone():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
