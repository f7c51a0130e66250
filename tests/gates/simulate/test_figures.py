"""The promised operating characteristics, small daily and in full under the slow marker."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.gates.cell import CellKey
from harness.gates.simulate.figures import Figure, all_figures
from harness.gates.simulate.plain import feature, share_passed
from harness.gates.simulate.pools import Population, draw_pairs
from harness.gates.simulate.timing import Machine, blocks


def test_promises_are_kept_give_or_take_the_error_of_a_small_simulation():
    found = list(all_figures(np.random.default_rng(1), gates=300, pools=40))
    assert {figure.item for figure in found} == set(range(1, 8))
    broken = [figure.sentence for figure in found if not figure.holds(errors=3)]
    assert broken == []
    json.dumps([figure.to_json() for figure in found], allow_nan=False)


@pytest.mark.slow
def test_promises_are_kept_in_full():
    broken = []
    for figure in all_figures(np.random.default_rng(1), gates=2000, pools=300):
        print(figure.sentence)  # noqa: T201 - the obtained values are wanted
        if not figure.holds():
            broken.append(figure.sentence)
    assert broken == []


def test_a_figure_says_what_was_wanted():
    kept = Figure(1, "true 0: PASS", 0.004, most=0.005)
    assert kept.sentence == "1. true 0: PASS: 0.004 (wanted <= 0.005) kept"
    broken = Figure(7, "ratio", 0.7, least=0.8, most=1.15, error=0.04)
    assert broken.sentence.endswith("(wanted >= 0.8, <= 1.15) NOT KEPT")
    assert not broken.holds()
    assert broken.holds(errors=3)


def test_a_populations_gain_is_what_endless_samples_show():
    population = Population(gain=0.05, samples=400_000)
    pairs = draw_pairs(np.random.default_rng(0), population, 12, resplit=True)
    assert np.mean([pair.difference for pair in pairs]) == pytest.approx(0.05, abs=0.004)
    assert np.mean([pair.baseline.f1 for pair in pairs]) == pytest.approx(
        population.f1(population.apart), abs=0.01
    )


def test_gates_are_a_fifth_stratified_and_fixed_or_new():
    population = Population()
    for resplit in (False, True):
        pairs = draw_pairs(np.random.default_rng(0), population, 2, resplit=resplit)
        first, second = (pair.baseline for pair in pairs)
        assert len(first.index) == pytest.approx(500, abs=1)
        assert first.positives == second.positives
        assert np.array_equal(first.index, second.index) is not resplit


def test_an_undisturbed_machine_shows_the_true_ratio():
    still = Machine(jitter=0.0, slow_share=0.0, drift=0.0)
    (block,) = blocks(np.random.default_rng(0), 1.25, still, 1)
    times = [visit.median for visit in (block.a1, block.b1, block.b2, block.a2)]
    assert times == pytest.approx([1.0, 1.25, 1.25, 1.0])


def test_hardware_at_the_margin_beside_a_better_one_is_held_by_its_own_mean_alone():
    # Pooling asks about the mean over hardware; of a kind at the margin only condition (ii) speaks,
    # and that is a coin's throw. The documentation says so.
    keys = [
        CellKey(model, "x", kind) for model in ("gcn", "gat", "sage") for kind in ("t4", "v100")
    ]
    means = [(key, 0.02 if key is keys[-1] else 0.05) for key in keys]
    rng = np.random.default_rng(0)
    share = share_passed([feature(rng, means, sd=0.02).verdict for _ in range(200)])
    assert share == pytest.approx(0.5, abs=0.12)
