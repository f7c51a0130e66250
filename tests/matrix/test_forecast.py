"""What a plan will cost is what a campaign then runs, and its power is the gates' own."""

from __future__ import annotations

import numpy as np
import pytest

from harness.gates.planning import power
from harness.hardware import describe
from harness.matrix.forecast import ASSUMED_SD, STEPS, forecast
from harness.matrix.judge import Judge
from harness.matrix.probe import Pace
from harness.matrix.results import Results
from harness.report.forecast import lines_of

PACE = Pace(trial=10.0, epoch=2.0)


@pytest.fixture
def look():
    """A forecast whose probes take no time: ``look(judge)``; ``look.probed`` are the specs."""

    def call(judge, jobs=1):
        def probe(spec, folder):
            assert folder.is_dir()
            call.probed.append(spec)
            return PACE

        return forecast(judge, jobs, np.random.default_rng(0), probe)

    call.probed = []
    return call


def _campaign(judge, write_trial, rule):
    """Run what is wanted, one trial at a time; gives the keys."""
    ran = []
    feature = judge.plan.features[0]
    while not (progress := judge.progress(feature)).done:
        key = progress.wanted[0]
        candidate = any(key in cell.candidate for cell in feature.cells)
        write_trial(judge, key, wrong=rule(judge.plan.trials[key].seed, candidate))
        ran.append(key)
    return set(ran)


def _worse(seed, candidate):
    return (15 if candidate else 4) + seed % 2


def _better(seed, candidate):
    return (0 if candidate else 12) + seed % 2


def _undecided(seed, candidate):
    return 8 if not candidate else (1, 14)[seed % 2]


@pytest.mark.parametrize("models", ["gcn", "gcn,sage,gat"])
@pytest.mark.parametrize(
    ("course", "rule", "budget"),
    [
        ("least", _worse, 10), ("passing", _better, 10), ("most", _undecided, 5),
        ("most", _undecided, 12),
    ],
)  # fmt: skip
def test_each_course_is_what_such_a_campaign_runs(
    make_judge, write_trial, look, course, rule, budget, models
):
    judge = make_judge("planted_noop", models=models, budget=budget)
    told = getattr(look(judge).features[0], course).trials
    assert _campaign(judge, write_trial, rule) == told


@pytest.mark.parametrize(("shape", "arms"), [("drop-one", 2), ("pairs", 4)])
@pytest.mark.parametrize(("course", "rule"), [("least", _worse), ("passing", _better)])
def test_courses_of_other_shapes_are_what_they_run_too(
    make_judge, write_trial, look, shape, arms, course, rule
):
    judge = make_judge("planted_noop,swa", shape=shape, models="gcn,sage", budget=10)
    (feature, *_) = look(judge).features
    told = getattr(feature, course).trials
    assert _campaign(judge, write_trial, rule) == told
    assert (feature.baseline, feature.candidate, feature.apart) == (20, 20, (arms - 2) * 20)


def test_shapes_count_what_they_share_once(make_judge, look):
    features = "planted_noop,swa,tensorboard,planted_schedule"
    pairs = look(make_judge(features, shape="pairs"))
    assert len(pairs.features) == 5
    assert pairs.courses[-1].trials == (1 + 4 + 5) * 10
    lines = list(lines_of(pairs, 1))
    assert lines[0].startswith("swa+planted_schedule cannot be combined: ")
    assert max(map(len, lines)) <= 80
    drop = look(make_judge("planted_noop,swa,tensorboard", shape="drop-one"))
    assert drop.courses[-1].trials == (1 + 3) * 10
    assert any("full arm's are shared" in line for line in lines_of(drop, 1))


def test_measuring_every_gate_takes_all_runs_even_of_a_failure(make_judge, write_trial, look):
    judge = make_judge("planted_noop", all_gates=True)
    told = look(judge).features[0].least
    assert _campaign(judge, write_trial, _worse) == told.trials
    assert set(told.blocks.values()) == {3}


def test_baselines_are_shared_and_counted_once(make_judge, look):
    judge = make_judge("planted_noop,swa", models="gcn,sage")
    found = look(judge)
    assert [(one.baseline, one.candidate) for one in found.features] == [(20, 20), (20, 20)]
    assert found.courses[-1].trials == 20 + 2 * 20


def test_time_is_that_of_missing_trials_over_the_jobs_and_of_blocks_alone(
    make_judge, write_trial, look
):
    judge = make_judge("planted_noop", blocks=6)
    one, two = (look(judge, jobs).courses[-1].seconds for jobs in (1, 2))
    # A block is four visits of a warm-up epoch and one that counts.
    blocks = 6 * 4 * 2 * PACE.epoch
    assert one == 20 * PACE.trial + blocks
    assert two == 10 * PACE.trial + blocks
    for key in judge.plan.features[0].cells[0].baseline[:4]:
        write_trial(judge, key)
    found = look(judge)
    assert found.courses[-1].stored == 4
    # Stored trials took a second; nothing is known of the candidate's, so they are taken alike.
    assert found.courses[-1].seconds == pytest.approx(16 * 1.0 + 6 * 4 * 2 * 1.0)
    (pace,) = found.paces.values()
    assert pace.trials == 4


def test_each_model_is_probed_once_and_not_where_trials_are_stored(make_judge, write_trial, look):
    judge = make_judge("planted_noop,swa", models="gcn,sage")
    write_trial(judge, judge.plan.features[0].cells[0].baseline[0])
    look(judge)
    assert [spec.model for spec in look.probed] == ["sage"]


def test_power_is_the_planning_of_the_gates(make_judge, look):
    judge = make_judge("planted_noop,planted_insight", policy="claims", budget=20)
    found = look(judge)
    assert found.spread.sd == ASSUMED_SD
    assert found.judged == {0.02: ("planted_noop",), -0.01: ("planted_insight",)}
    rng = np.random.default_rng(0)
    for margin, powers in found.powers.items():
        assert [one.true for one in powers] == pytest.approx([margin + step for step in STEPS])
        assert list(powers) == [
            power(one.true, 0.02, rng=rng, margin=margin, budget=20) for one in powers
        ]
    assert "true +3 points at sd 0.02 passes in 5" in found.powers[0.02][1].sentence


def test_the_sd_is_that_of_stored_pairs(make_judge, write_trial, look):
    judge = make_judge("planted_noop", models="gcn,sage", budget=10)
    _campaign(judge, write_trial, _undecided)
    judge = Judge(judge.plan, judge.store, Results(judge.store, judge.results.folders))
    cells = judge.verdict(judge.plan.features[0]).cells
    variances = [np.var(cell.f1.evidence.differences, ddof=1) for cell in cells]
    spread = look(judge).spread
    assert spread.sd == pytest.approx(np.sqrt(np.mean(variances)), abs=1e-4)
    assert (spread.pairs, spread.cells) == (20, 2)


def test_cells_of_other_hardware_are_told_and_not_counted(make_judge, look):
    judge = make_judge("planted_noop", hardware=[describe().kind, "a100"])
    (feature,) = look(judge).features
    assert (feature.cells, feature.elsewhere) == (1, 1)
    nothing = look(make_judge("planted_noop", hardware=["a100"]))
    assert nothing.courses[-1].trials == 0
