"""Stored blocks, and what the gates read of them."""

from __future__ import annotations

import math

import pytest

from harness.matrix.blocks import memory_ratios, one_off_cost, to_block


def _visit(seconds=1.0, setup=(), finish=(), peak=100):
    return {"epochs": [seconds, 3 * seconds, 2 * seconds], "cpu": seconds, "setup": list(setup),
            "finish": list(finish), "peak_bytes": peak}  # fmt: skip


def test_the_gate_reads_medians_and_means():
    block = to_block({"baseline": [_visit(1.0), _visit(2.0)], "candidate": [_visit(3.0)] * 2})
    assert (block.a1.median, block.a2.median, block.b1.median) == (2.0, 4.0, 6.0)
    assert block.b2.mean == pytest.approx(6.0)


def test_the_cost_outside_of_epochs_leaves_the_first_fit_out():
    blocks = [
        {"baseline": [_visit(setup=[9.0, 1.0]), _visit(finish=[0.5])],
         "candidate": [_visit(setup=[9.0, 4.0, 4.0]), _visit()]},
    ]  # fmt: skip
    cost = one_off_cost(blocks)
    assert cost.baseline == pytest.approx(1.5)
    assert cost.candidate == pytest.approx(4.0)


def test_memory_is_compared_at_its_peak():
    block = {"baseline": [_visit(peak=100), _visit(peak=50)], "candidate": [_visit(peak=200)] * 2}
    assert memory_ratios([block]) == [pytest.approx(math.log(2))]
