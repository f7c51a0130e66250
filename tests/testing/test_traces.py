"""The clauses that compare bits catch what was made to break them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest
import torch
from pydantic import PrivateAttr

from harness.feature import Claim, Feature
from harness.metrics import best_threshold
from harness.models.gin import GIN
from harness.selection import parse_single
from harness.testing import CLAUSES, Case, ContractError, check_feature, planted_graphs

if TYPE_CHECKING:
    from harness.result import FitResult, FitSpec


class Whole(Feature):
    name: ClassVar[str] = "whole"
    claim: ClassVar[Claim] = Claim.QUALITY


class Vandal(Whole):
    """Change the data that every run reads."""

    def on_fit_start(self, run) -> None:
        run.graphs.label[run.train[:5]] ^= 1


class Patcher(Whole):
    """Change the class of the model."""

    def on_fit_start(self, run) -> None:
        kind = type(run.model)
        if not hasattr(kind, "patched"):
            kind.patched, forward = True, kind.forward
            kind.forward = lambda self, *args, **more: forward(self, *args, **more) * 0.5


class Meddler(Whole):
    """Leave other settings behind."""

    def on_fit_start(self, run) -> None:
        del run
        torch.use_deterministic_algorithms(mode=True)


def test_what_a_feature_changes_for_later_runs_is_found(monkeypatch, refused):
    graphs = planted_graphs(64, seed=5)
    case = Case(Vandal(), models=(parse_single("gin"),), graphs=graphs)
    with pytest.raises(ContractError, match="gives other bits"):
        CLAUSES["off_leaves_no_trace"](case)

    monkeypatch.setattr(GIN, "forward", GIN.forward)
    monkeypatch.setattr(GIN, "patched", None, raising=False)
    monkeypatch.delattr(GIN, "patched")
    refused("off_leaves_no_trace", Patcher, "gives other bits")


def test_settings_of_the_process_that_are_left_changed_are_named(refused):
    try:
        refused("off_leaves_no_trace", Meddler, "are_deterministic_algorithms_enabled: False aga")
    finally:
        torch.use_deterministic_algorithms(mode=False)


def test_state_that_outlives_a_fit_is_found(refused):
    class Counting(Whole):
        fits: ClassVar[list[int]] = []

        def learning_rate(self, run) -> float:
            self.fits.append(run.seed)
            return 1e-3 * len(self.fits)

    refused("nothing_stays_between_fits", Counting, "second of two equal fits")


def test_an_observer_that_draws_random_numbers_is_found(refused):
    class Drawing(Whole):
        claim: ClassVar[Claim] = Claim.INSIGHT

        def on_batch_end(self, run) -> None:
            del run
            torch.rand(1)

    refused("insight_changes_nothing", Drawing, "differs from the baseline")
    check_feature(
        type("Learning", (Drawing,), {"claim": Claim.QUALITY}), clauses=["insight_changes_nothing"]
    )


# Resume --------------------------------------------------------------------------------------


class Forgetting(Whole):
    """Lower the rate by what it remembers, and forget to keep that."""

    _epochs: int = PrivateAttr(0)

    def on_epoch_start(self, run) -> None:
        self._epochs += 1
        for group in run.optimizer.param_groups:
            group["lr"] = 1e-3 / self._epochs


class Remembering(Forgetting):
    """The same with its state kept."""

    def state_dict(self) -> dict[str, Any]:
        return {"epochs": self._epochs}

    def load_state_dict(self, state) -> None:
        self._epochs = state["epochs"]


def test_state_that_is_not_kept_is_found_and_kept_state_is_enough(refused):
    refused("resume_is_exact", Forgetting, "resumed after epoch 1 ends with other bits")
    check_feature(Remembering, models=["gin"], clauses=["resume_is_exact"])


def test_state_that_no_checkpoint_can_hold_is_named_when_it_is_written(refused):
    class Packing(Whole):
        def state_dict(self) -> dict[str, Any]:
            return {"rates": [np.zeros(2)]}

    refused("resume_is_exact", Packing, "of feature 'whole' holds ndarray")


def test_a_schedule_with_state_that_no_checkpoint_can_hold_is_found(refused):
    class Schedule:
        def after_step(self) -> None:
            """Do nothing."""

        def after_epoch(self, metric) -> None:
            """Do nothing."""

        def state_dict(self):
            return {"memory": np.zeros(2)}

        def load_state_dict(self, state) -> None:
            """Do nothing."""

    class Scheduling(Whole):
        def scheduler(self, run):
            del run
            return Schedule()

    refused("resume_is_exact", Scheduling, "cannot be read|slot 'scheduler'")


# Wraps around the whole fit ------------------------------------------------------------------


class Twins(Whole):
    """Train two members with seeds of their own and average their probabilities."""

    name: ClassVar[str] = "twins"

    def around_fit(self, fit, spec: FitSpec) -> FitResult:
        members = [fit(spec.member(f"member-{k}", seed=spec.seed * 2 + k)) for k in range(2)]
        mixed = {}
        for part in ("select", "gate"):
            scores = [getattr(member, part) for member in members]
            probability = np.mean([each.probability for each in scores], axis=0)
            mixed[part] = type(scores[0])(**{**vars(scores[0]), "probability": probability})
        threshold = best_threshold(mixed["select"].label, mixed["select"].probability)
        return type(members[0])(**{**vars(members[0]), **mixed, "threshold": threshold})


def test_an_ensemble_that_fits_twice_keeps_the_contract_to_the_bit_when_resumed():
    clauses = ["off_leaves_no_trace", "trains_on_every_model", "resume_is_exact"]
    check_feature(Twins, models=["gin"], clauses=clauses)


def test_members_that_share_a_folder_are_found(refused):
    class Crowded(Twins):
        def around_fit(self, fit, spec):
            return super().around_fit(lambda member: fit(type(spec)(**_at(member, spec))), spec)

    def _at(member, spec):
        return {**vars(member), "folder": spec.folder}

    refused("resume_is_exact", Crowded, "is of another run: seed is 0 there and 1 here")
