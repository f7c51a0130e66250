"""From stored results to verdicts: a function of what trials found, not of when they came."""

from __future__ import annotations

import pytest

from harness.gates.words import Verdict
from harness.matrix.records import Failure


def _fill(judge, write_trial, rule, seeds=10):
    """Write a pair's trials of each next step, until none is wanted; returns how many."""
    feature = judge.plan.features[0]
    written = 0
    while True:
        progress = judge.progress(feature)
        if progress.done:
            return written
        for key in progress.step[:2]:
            candidate = any(key in cell.candidate for cell in feature.cells)
            model = judge.plan.trials[key].model
            write_trial(judge, key, **rule(judge.plan.trials[key].seed, model, candidate))
            written += 1
        assert written < 2 * seeds * len(feature.cells) + 20


def test_an_arm_that_is_the_baseline_never_passes(make_judge, write_trial):
    judge = make_judge("planted_noop", budget=10)
    _fill(judge, write_trial, lambda seed, model, candidate: {"wrong": seed % 4})
    verdict = judge.verdict(judge.plan.features[0])
    decision = verdict.cells[0].f1.decision
    assert decision.mean == 0.0
    assert verdict.verdict is not Verdict.PASS
    assert verdict.cells[0].f1.identical


def test_a_large_gain_passes_f1_and_goes_on_to_ten_clean_runs(make_judge, write_trial):
    judge = make_judge("amp", budget=10)
    _fill(judge, write_trial, lambda seed, model, candidate: {"wrong": 0 if candidate else 12})
    cell = judge.verdict(judge.plan.features[0]).cells[0]
    assert cell.gates["f1"].verdict is Verdict.PASS
    assert cell.f1.decision.n == 5
    assert cell.gates["collapse"].verdict is Verdict.PASS
    assert len(cell.gates["collapse"].candidate) == 10
    assert cell.verdict is not Verdict.PASS, "the time gate has not been measured"


def _pairs(judge):
    return [state.pairs for state in judge.progress(judge.plan.features[0]).states]


def _better(seed, candidate):
    """Above the margin, and too noisy for a PASS within ten pairs."""
    return {"wrong": 0 if candidate else 12 * (seed % 2)}


def test_a_fail_at_the_first_look_spares_the_cells_after_it_all_their_pairs(
    make_judge, write_trial
):
    judge = make_judge("amp", models="gcn,sage", budget=10)

    def rule(seed, model, candidate):
        worse = candidate and model == "gcn"
        return {"wrong": 12 if worse else seed % 3}

    written = _fill(judge, write_trial, rule)
    assert written == 6
    assert _pairs(judge) == [3, 0]


def test_a_cell_below_the_margin_goes_on_alone_until_it_fails(make_judge, write_trial):
    judge = make_judge("amp", models="gcn,sage", budget=10)

    def rule(seed, model, candidate):
        return {"wrong": 4 + 3 * (seed % 2) if candidate else 5}

    written = _fill(judge, write_trial, rule)
    failed, other = _pairs(judge)
    assert judge.verdict(judge.plan.features[0]).verdict is Verdict.FAIL
    assert failed > 3
    assert other == 0
    assert written == 2 * failed


def test_the_first_fail_stops_the_cells_before_it(make_judge, write_trial):
    judge = make_judge("amp", models="gcn,sage", budget=10)

    def rule(seed, model, candidate):
        if model == "gcn":
            return _better(seed, candidate)
        return {"wrong": 12 if candidate else seed % 3}

    _fill(judge, write_trial, rule)
    assert judge.verdict(judge.plan.features[0]).verdict is Verdict.FAIL
    assert _pairs(judge) == [3, 3]


def test_cells_above_the_margin_go_in_lockstep(make_judge, write_trial):
    judge = make_judge("amp", models="gcn,sage", budget=10)
    feature = judge.plan.features[0]
    seen = set()
    while not (progress := judge.progress(feature)).done:
        first, second = _pairs(judge)
        seen.add((first, second))
        key = progress.step[0]
        spec = judge.plan.trials[key]
        candidate = any(key in cell.candidate for cell in feature.cells)
        write_trial(judge, key, **_better(spec.seed, candidate))
    assert {(3, 0), (3, 3), (4, 3), (4, 4), (5, 4)} <= seen
    assert all(first - second in (0, 1) for first, second in seen if first > 3)
    assert _pairs(judge) == [10, 10]


def test_results_beyond_the_first_fail_leave_the_verdict_as_it_is(make_judge, write_trial):
    judge = make_judge("amp", models="gcn,sage", budget=10)

    def rule(seed, model, candidate):
        if model == "sage":
            return {"wrong": 6 if candidate else 6 + seed % 3}
        return {"wrong": 4 + 3 * (seed % 2) if candidate else 5}

    feature = judge.plan.features[0]
    _fill(judge, write_trial, rule)
    before = judge.verdict(feature).to_json()
    failed, other = _pairs(judge)
    assert before["verdict"] == "FAIL"
    for cell, seed in ((feature.cells[0], failed), (feature.cells[1], other)):
        for key in (cell.baseline[seed], cell.candidate[seed]):
            write_trial(judge, key)
    assert judge.verdict(feature).to_json() == before


def test_a_step_is_all_before_which_nothing_can_be_decided(make_judge, write_trial):
    judge = make_judge("amp", models="gcn,sage", budget=10)
    feature = judge.plan.features[0]
    gcn, sage = feature.cells
    progress = judge.progress(feature)
    look = [arm[seed] for seed in range(3) for arm in (gcn.baseline, gcn.candidate)]
    assert list(progress.step) == look
    # Cores that would idle begin what comes next.
    assert list(progress.wanted) == [*look, sage.baseline[0], sage.candidate[0]]
    for key in look:
        write_trial(judge, key, wrong=4 + judge.plan.trials[key].seed)
    write_trial(judge, gcn.baseline[3], wrong=4)
    assert list(judge.progress(feature).step) == [gcn.candidate[3]]


def test_later_results_change_nothing(make_judge, write_trial):
    judge = make_judge("amp", budget=10)
    _fill(judge, write_trial, lambda seed, model, candidate: {"wrong": 12 if candidate else 0})
    before = judge.verdict(judge.plan.features[0]).to_json()
    cell = judge.plan.features[0].cells[0]
    for seed in range(5, 8):
        write_trial(judge, cell.baseline[seed], wrong=12)
        write_trial(judge, cell.candidate[seed])
    assert judge.verdict(judge.plan.features[0]).to_json() == before


def test_a_collapsed_baseline_is_replaced_by_a_fresh_seed(make_judge, write_trial):
    judge = make_judge("amp", budget=5)

    def rule(seed, model, candidate):
        collapse = "one_class" if seed == 1 and not candidate else None
        return {"wrong": 6 + seed % 2, "collapse": collapse}

    _fill(judge, write_trial, rule)
    cell = judge.verdict(judge.plan.features[0]).cells[0]
    assert 1 not in cell.f1.evidence.seeds
    assert cell.gates["collapse"].dropped == (1,)


def test_a_collapsed_candidate_fails_after_its_first_run(make_judge, write_trial):
    judge = make_judge("amp", budget=10)
    written = _fill(
        judge, write_trial,
        lambda seed, model, candidate: {"collapse": "one_class" if candidate else None},
    )  # fmt: skip
    verdict = judge.verdict(judge.plan.features[0])
    assert written == 2
    assert verdict.verdict is Verdict.FAIL
    assert "after 1 run" in verdict.cells[0].gates["collapse"].sentence


def test_a_trial_that_failed_for_good_leaves_its_cell_unmeasured(make_judge, write_trial):
    judge = make_judge("amp", budget=5)
    cell = judge.plan.features[0].cells[0]
    write_trial(judge, cell.baseline[0])
    judge.store.fail(cell.candidate[0], Failure(kind="error", detail="it broke"))
    judge.failed.add(cell.candidate[0])
    progress = judge.progress(judge.plan.features[0])
    assert progress.done
    assert progress.states[0].problem.detail == "it broke"
    assert judge.verdict(judge.plan.features[0], progress).verdict is Verdict.NOT_MEASURED


def test_hardware_that_is_not_here_is_not_run_and_never_passes(make_judge, write_trial):
    here = make_judge("amp").plan.hardware[0]
    judge = make_judge("amp", hardware=[here, "t4"], budget=5)
    _fill(judge, write_trial, lambda seed, model, candidate: {"wrong": 0 if candidate else 12})
    verdict = judge.verdict(judge.plan.features[0])
    assert verdict.verdict is Verdict.INCONCLUSIVE
    assert "not run on: t4" in verdict.sentence


def _block(ratio):
    def visit(seconds):
        return {"epochs": [seconds, seconds * 1.01], "cpu": seconds, "setup": [], "finish": [],
                "peak_bytes": 100}  # fmt: skip

    return {"order": [], "baseline": [visit(1.0)] * 2, "candidate": [visit(ratio)] * 2}


@pytest.mark.parametrize("models", ["gcn", "gcn,sage"])
def test_a_feature_that_is_too_slow_keeps_the_runs_that_came_before_its_blocks(
    make_judge, write_trial, models
):
    judge = make_judge("amp", models=models, budget=5)
    feature = judge.plan.features[0]
    _fill(judge, write_trial, lambda seed, model, candidate: _better(seed, candidate))
    before = judge.verdict(feature)
    judge.store.keep("blocks", feature.cells[0].timing, [_block(3.0)] * 5)
    after = judge.verdict(feature)
    assert before.verdict is Verdict.INCONCLUSIVE
    assert after.verdict is Verdict.FAIL
    assert "time FAIL" in after.sentence
    first, second = ([cell.f1.decision for cell in one.cells] for one in (before, after))
    assert first == second


def test_a_feature_that_is_too_slow_needs_no_further_run(make_judge, write_trial):
    judge = make_judge("amp", budget=5)
    cell = judge.plan.features[0].cells[0]
    for seed in range(3):
        write_trial(judge, cell.baseline[seed], wrong=12 * (seed % 2))
        write_trial(judge, cell.candidate[seed])
    judge.store.keep("blocks", cell.timing, [_block(3.0)] * 5)
    progress = judge.progress(judge.plan.features[0])
    assert progress.done
    assert progress.wanted == ()
    assert progress.states[0].cell.f1.decision.n == 3


@pytest.mark.parametrize("policy", ["roadmap", "claims"])
def test_timed_blocks_answer_the_time_gate(make_judge, write_trial, policy):
    judge = make_judge("amp", budget=5, policy=policy)
    feature = judge.plan.features[0]
    cell = feature.cells[0]
    _fill(judge, write_trial, lambda seed, model, candidate: {"wrong": 0 if candidate else 12})

    judge.store.keep("blocks", cell.timing, [_block(0.8)] * 5)
    gates = judge.cell(feature, cell, 5).cell.gates
    assert gates["time"].verdict is Verdict.PASS
    assert gates["time"].ratio == pytest.approx(0.8)
    assert ("benefit" in gates) == (policy == "claims")
    if policy == "claims":
        assert gates["benefit"].verdict is Verdict.PASS
