"""The LR range test: what is read off a curve, and that nothing stays of the test itself."""

from __future__ import annotations

import copy
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.feature import Claim, Feature
from harness.testing import differences
from harness.training.live import LiveRun
from harness.training.lr_range import (
    FEWEST_POINTS,
    RangeTest,
    run_range_test,
    slopes,
    suggest,
)

RATES = np.geomspace(1e-6, 1e-1, 60)


def descent(at, *, drop=0.4, width=0.5, rise=2.0, rates=RATES):
    """A loss that falls by ``drop`` around the rate ``at`` and rises near the end."""
    decades = np.log10(rates)
    fall = drop / (1 + np.exp(-(decades - np.log10(at)) / (width / 2)))
    return 0.7 - fall + rise * np.maximum(0, decades + 1.3) ** 2


def curve(losses, rates=RATES, *, diverged=False):
    return RangeTest(rates, np.asarray(losses, dtype=float), diverged)


@pytest.mark.parametrize("at", [1e-4, 1e-3, 6e-3])
def test_the_rate_of_the_steepest_descent_is_found(at):
    found = suggest(curve(descent(at)), cap=1, fallback=1e-5)
    assert not found.fallback
    assert found.confidence > 0.999
    assert abs(np.log10(found.rate / at)) < 0.15
    assert "steepest descent at" in found.reason


@given(st.floats(-4, -2), st.integers(0, 10_000))
@settings(max_examples=60)
def test_noise_moves_it_by_less_than_half_a_decade_mostly_or_gives_the_fallback(decade, seed):
    draws = np.random.default_rng(seed).standard_normal((20, 60))
    found = [
        suggest(curve(descent(10**decade) + 0.04 * noise), cap=1, fallback=1e-6) for noise in draws
    ]
    trusted = [one.rate for one in found if not one.fallback]
    assert len(trusted) >= 18
    assert np.median(np.abs(np.log10(trusted) - decade)) < 0.3


@pytest.mark.parametrize("points", [12, 60, 200])
def test_pure_noise_is_hardly_ever_trusted(points):
    rates = np.geomspace(1e-6, 1e-1, points)
    draws = 0.7 + 0.05 * np.random.default_rng(1).standard_normal((1000, points))
    found = [suggest(curve(draw, rates), cap=1, fallback=1e-3) for draw in draws]
    assert sum(not one.fallback for one in found) <= 60
    assert all(one.rate == 1e-3 for one in found if one.fallback)


def test_the_reason_of_a_fallback_names_noise_and_its_confidence():
    noise = 0.7 + 0.05 * np.random.default_rng(3).standard_normal(60)
    found = suggest(curve(noise), cap=1, fallback=1e-3)
    assert found.reason.startswith("fell back to 1.00e-03: noise alone can give so steep a curve")
    assert found.confidence < 0.95


@pytest.mark.parametrize(
    "losses", [np.full(60, 0.7), 0.7 + np.linspace(0, 1, 60), 0.7 + np.linspace(0, 1, 60) ** 3]
)
def test_a_loss_that_never_falls_gives_the_fallback(losses):
    found = suggest(curve(losses), cap=1, fallback=1e-3)
    assert found.fallback
    assert found.rate == 1e-3
    assert "the loss never fell" in found.reason


@pytest.mark.parametrize("points", range(FEWEST_POINTS))
def test_an_early_divergence_gives_the_fallback(points):
    found = suggest(
        curve(np.linspace(1, 0, points), RATES[:points], diverged=True), cap=1, fallback=2e-4
    )
    assert found.fallback
    assert found.rate == 2e-4
    assert f"diverged after {points} steps" in found.reason


def test_both_ends_are_skipped():
    losses = np.full(60, 0.7)
    losses[:6] = np.linspace(5, 0.7, 6)
    losses[57:] = [0.6, 0.3, 0.1]
    found = suggest(curve(losses), cap=1, fallback=1e-3)
    if not found.fallback:
        assert RATES[6] <= found.rate <= RATES[56]


def test_cap_and_floor_are_kept_and_said():
    high = suggest(curve(descent(1e-2)), cap=5e-3, fallback=1e-3)
    assert high.rate == 5e-3
    assert "capped at 5.00e-03" in high.reason
    low = suggest(curve(descent(1e-4)), cap=5e-3, floor=1e-3, fallback=1e-3)
    assert low.rate == 1e-3
    assert "raised to 1.00e-03" in low.reason
    assert not high.fallback
    assert not low.fallback


def test_the_fallback_keeps_the_cap_too():
    assert suggest(curve(np.full(60, 0.7)), cap=1e-4, fallback=1e-3).rate == 1e-4


@given(st.floats(-3, 3), st.floats(-2, 2))
def test_slopes_of_a_line_are_its_slope(slope, start):
    losses = start + slope * np.log(RATES)
    assert slopes(curve(losses)) == pytest.approx(np.full(60, slope), abs=1e-9)


class Stateful(Feature):
    """Counts the batches it is told of."""

    name: ClassVar[str] = "stateful"
    claim: ClassVar[Claim] = Claim.INSIGHT
    seen: ClassVar[list[int]] = []

    def on_batch_end(self, run):
        self.seen.append(run.step)


def everything(run):
    """Whatever a range test could leave changed."""
    return {
        "model": {name: value.clone() for name, value in run.model.state_dict().items()},
        "gradients": [parameter.grad for parameter in run.model.parameters()],
        "modes": [module.training for module in run.model.modules()],
        "optimizer": copy.deepcopy(run.optimizer.state_dict()),
        "scaler": run.scaler.state_dict() if run.scaler else None,
        "random": torch.get_rng_state(),
        "run": [run.step, run.epoch, run.batch, run.loss, run.history, run.notes, run.scores],
        "norm": run.gradient_norm.clone(),
        "seen": list(Stateful.seen),
    }


@pytest.mark.parametrize("model", ["gin", "gat"])
@pytest.mark.parametrize("arm", ["", "amp[dtype=fp16]+param_groups"])
@pytest.mark.parametrize("trained", [False, True])
def test_nothing_stays_of_the_test(make_spec, model, arm, trained):
    spec = make_spec(arm, model=model)
    run = LiveRun(spec.with_arm((*spec.arm, Stateful())))
    if trained:
        run.train_on(run.batches(run.train))
    run.model.eval()
    list(run.model.modules())[2].train()
    before = everything(run)
    test = run_range_test(run, lowest=1e-5, highest=10, steps=30)
    assert len(test.rates) == len(test.losses)
    assert np.isfinite(test.losses).all()
    assert not differences(before, everything(run))
    assert run.model.training is False


def test_everything_is_put_back_when_a_step_raises(make_spec):
    run = LiveRun(make_spec(model="gin"))
    before = everything(run)
    run.criterion = lambda logits, label: logits[label.new_full((1,), 10**6)]
    with pytest.raises(IndexError):
        run_range_test(run, lowest=1e-5, highest=1, steps=5)
    assert not differences(before, everything(run))


def test_a_diverging_test_ends_early_and_says_so(make_spec):
    run = LiveRun(make_spec(clip_norm=0))
    test = run_range_test(run, lowest=1e-2, highest=1e6, steps=40)
    assert test.diverged
    assert len(test.losses) < 40


def test_a_loss_that_is_not_finite_ends_it_and_is_left_out(make_spec):
    run = LiveRun(make_spec())
    calls = []

    def criterion(logits, label):
        calls.append(1)
        return logits.sum(1) * 0 + label + (float("nan") if len(calls) > 3 else 1.0)

    run.criterion = criterion
    test = run_range_test(run, lowest=1e-5, highest=1, steps=30)
    assert len(test.losses) == 3
    assert test.diverged


def test_a_step_sees_as_many_batches_as_the_runs_own(make_spec):
    class Window(Feature):
        name: ClassVar[str] = "window"
        claim: ClassVar[Claim] = Claim.MEMORY

        def accumulation_window(self, run):
            del run
            return 2

    run = LiveRun(make_spec((Window(),), batch_size=8))
    sizes = []
    train = run.train_window
    run.train_window = lambda window, graphs: (sizes.append(graphs), train(window, graphs))
    run_range_test(run, lowest=1e-5, highest=1e-3, steps=7)
    graphs = len(run.train)
    whole = [16] * (graphs // 16) + ([graphs % 16] if graphs % 16 else [])
    assert sizes == (whole * 7)[:7]
