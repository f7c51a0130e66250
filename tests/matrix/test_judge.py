"""From stored results to verdicts: a function of what trials found, not of when they came."""

from __future__ import annotations

import pytest

from harness.gates.words import Verdict
from harness.matrix.store import Failure


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


def test_the_first_fail_stops_the_cells_before_it_at_the_same_round(make_judge, write_trial):
    judge = make_judge("amp", models="gcn,sage", budget=10)

    def rule(seed, model, candidate):
        worse = candidate and model == "sage"
        return {"wrong": 12 if worse else seed % 3}

    _fill(judge, write_trial, rule)
    verdict = judge.verdict(judge.plan.features[0])
    assert verdict.verdict is Verdict.FAIL
    rounds = {len(cell.f1.evidence.seeds) for cell in verdict.cells}
    assert rounds == {3}


def _pairs(judge):
    return [state.pairs for state in judge.progress(judge.plan.features[0]).states]


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


def test_a_later_fail_spares_the_cells_after_it_their_last_pair(make_judge, write_trial):
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
    assert failed > 3
    assert other == failed - 1
    for key in (feature.cells[1].baseline[other], feature.cells[1].candidate[other]):
        if not judge.results.has(key):
            write_trial(judge, key)
    assert judge.verdict(feature).to_json() == before


def test_until_the_first_look_a_cell_gets_its_pairs_before_the_next_cell_any(
    make_judge, write_trial
):
    judge = make_judge("amp", models="gcn,sage", budget=10)
    progress = judge.progress(judge.plan.features[0])
    models = [judge.plan.trials[key].model for key in progress.wanted]
    assert models == ["gcn"] * 6 + ["sage"] * 6
    assert progress.step == progress.wanted[:6]


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


@pytest.mark.parametrize("policy", ["roadmap", "claims"])
def test_timed_blocks_answer_the_time_gate(make_judge, write_trial, policy):
    judge = make_judge("amp", budget=5, policy=policy)
    feature = judge.plan.features[0]
    cell = feature.cells[0]
    _fill(judge, write_trial, lambda seed, model, candidate: {"wrong": 0 if candidate else 12})

    def visit(seconds):
        return {"epochs": [seconds, seconds * 1.01], "cpu": seconds, "setup": [], "finish": [],
                "peak_bytes": 100}  # fmt: skip

    block = {"order": [], "baseline": [visit(1.0)] * 2, "candidate": [visit(0.8)] * 2}
    judge.store.keep("blocks", cell.timing, [block] * 5)
    gates = judge.cell(feature, cell, 5).cell.gates
    assert gates["time"].verdict is Verdict.PASS
    assert gates["time"].ratio == pytest.approx(0.8)
    assert ("benefit" in gates) == (policy == "claims")
    if policy == "claims":
        assert gates["benefit"].verdict is Verdict.PASS
