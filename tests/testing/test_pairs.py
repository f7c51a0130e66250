"""Two features in one arm train, or are refused by both their names."""

from __future__ import annotations

from typing import ClassVar

import pytest

from harness.errors import SlotConflictError
from harness.feature import Claim, Feature
from harness.run import ParameterGroup
from harness.testing import ContractError, check_feature, check_pair, contract


class Whole(Feature):
    name: ClassVar[str] = "whole"
    claim: ClassVar[Claim] = Claim.QUALITY


class Cosine(Whole):
    name: ClassVar[str] = "cosine"

    def scheduler(self, run):
        return run.default_schedule()


class OneGroup(Whole):
    name: ClassVar[str] = "one_group"

    def parameter_groups(self, run):
        return [ParameterGroup("all", list(run.model.parameters()))]


class Schedules(Cosine):
    name: ClassVar[str] = "schedules"


def test_two_owners_of_a_slot_are_refused_by_their_names():
    assert not check_pair(Cosine, Schedules)
    assert not check_pair(Cosine, "swa")
    assert check_pair(Cosine, OneGroup, models=["gcn"])


def test_a_refusal_that_does_not_name_them_is_found(monkeypatch):
    def vague(features):
        raise SlotConflictError(f"{len(features)} features do not go together")

    monkeypatch.setattr(contract, "join_arm", vague)
    with pytest.raises(ContractError, match="names not both"):
        check_pair(Cosine, Schedules)


def test_two_features_that_break_each_others_training_are_found():
    class Scaled(Whole):
        name: ClassVar[str] = "scaled"

        def criterion(self, run):
            alone = len(run.arm) == 1
            return lambda logits, label: (logits.sum(1) + label) * (1 if alone else float("nan"))

    check_feature(Scaled, models=["gin"], clauses=["trains_on_every_model"])
    with pytest.raises(ContractError, match="the loss is not finite"):
        check_pair(Scaled, OneGroup, models=["gin"])
