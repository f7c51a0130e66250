"""Trials that failed for good are said by whoever opens the store, and tried anew by a run."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from harness.files import write_json
from harness.gates.words import Verdict
from harness.matrix.campaign import Campaign
from harness.matrix.events import TrialStarted
from harness.matrix.local import LocalExecutor
from harness.matrix.planned import PLAN_FILE
from harness.matrix.records import Failure
from harness.matrix.stored import ATTEMPTS, given_up, open_stored
from harness.report.summary import summarise


@pytest.fixture
def campaign(plugin):
    """Run a judge's campaign; gives the keys of the trials that it started."""

    def run(judge):
        write_json(judge.store.root / PLAN_FILE, judge.plan.model_dump(mode="json"))
        events = []
        executor = LocalExecutor(judge.store, 1, 120.0, (plugin,))
        Campaign(judge, executor, events.append).run()
        return [event.spec.key for event in events if isinstance(event, TrialStarted)]

    return run


@pytest.mark.parametrize(("kind", "attempts"), ATTEMPTS.items())
def test_a_trial_is_given_up_after_as_many_attempts_as_a_campaign_makes(make_judge, kind, attempts):
    judge = make_judge("amp")
    key = next(iter(judge.plan.trials))
    for attempt in range(1, attempts + 1):
        assert given_up(judge.plan, judge.store) == set()
        judge.store.fail(key, Failure(kind=kind, detail="it broke"))
        assert judge.store.failure(key).attempts == attempt
    assert given_up(judge.plan, judge.store) == {key}


def test_a_trial_that_finished_in_the_end_is_not_given_up(make_judge, write_trial):
    judge = make_judge("amp")
    key = next(iter(judge.plan.trials))
    judge.store.fail(key, Failure(kind="error", detail="it broke"))
    write_trial(judge, key)
    assert given_up(judge.plan, judge.store) == set()


def test_a_failure_stored_before_attempts_were_counted_is_one(make_judge):
    judge = make_judge("amp")
    one, two = list(judge.plan.trials)[:2]
    for key, kind in ((one, "error"), (two, "killed")):
        write_json(
            judge.store.root / "failures" / f"{key}.json",
            {"kind": kind, "detail": "it broke", "log": ""},
        )
    assert given_up(judge.plan, judge.store) == {one}


@pytest.mark.parametrize("way", ["raise", "kill", "exit"])
def test_a_report_says_what_the_run_said_and_the_next_run_tries_again(make_judge, campaign, way):
    def judge():
        return make_judge(f"planted_crash[way={way}]", budget=3, baseline="plain")

    first = judge()
    started = campaign(first)
    assert first.failed
    told = summarise(first).to_json()
    reported = summarise(open_stored(first.store.root))
    assert reported.to_json() == told
    assert reported.features[0].word is Verdict.NOT_MEASURED
    (reason,) = reported.features[0].problems
    assert {"raise": "planted crash", "kill": "SIGKILL", "exit": "code 7"}[way] in reason
    again = campaign(judge())
    assert set(again) == first.failed, "what failed is tried again, and nothing else"
    assert len(again) == started.count(next(iter(first.failed)))
    assert summarise(open_stored(first.store.root)).to_json() == told


def test_another_kind_of_failure_is_said_in_the_place_of_the_one_before(make_judge, campaign):
    judge = make_judge("planted_crash[way=exit]", budget=3, baseline="plain")
    (key, *_) = judge.plan.features[0].cells[0].candidate
    judge.store.fail(key, Failure(kind="killed", detail="killed by SIGKILL"))
    campaign(judge)
    assert judge.store.failure(key).kind == "error"
    assert "code 7" in judge.store.failure(key).detail
    assert open_stored(judge.store.root).failed == {key}


def test_to_open_and_judge_a_store_loads_neither_torch_nor_a_compiler(make_judge, write_trial):
    """A report of some hundred trials is to be there in a moment."""
    judge = make_judge("planted_noop")
    for cell in judge.plan.features[0].cells:
        for key in (*cell.baseline[:5], *cell.candidate[:5]):
            write_trial(judge, key, wrong=1)
    write_json(judge.store.root / PLAN_FILE, judge.plan.model_dump(mode="json"))
    code = (
        "import sys; from pathlib import Path\n"
        "from harness.matrix.stored import open_stored\n"
        "from harness.report.markdown import to_markdown\n"
        "from harness.report.summary import summarise\n"
        f"print(to_markdown(summarise(open_stored(Path({str(judge.store.root)!r})))))\n"
        "assert not {'torch', 'torch_geometric', 'numba', 'sklearn'} & sys.modules.keys()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("# Ablation: INCONCLUSIVE")


def test_the_baseline_is_shown_by_the_runs_that_were_judged(make_judge, write_trial):
    """What was trained ahead for a core that would have idled hangs on who was faster."""
    judge = make_judge("planted_noop", budget=3)
    (cell,) = judge.plan.features[0].cells
    for key in cell.baseline[:2]:
        write_trial(judge, key, wrong=2)
    assert summarise(judge).figures[0].seeds == 2, "nothing is judged, and all that is there shown"
    for key in (cell.baseline[2], *cell.candidate[:3]):
        write_trial(judge, key, wrong=2)
    judged = summarise(judge).figures
    assert judged[0].seeds == 3
    write_trial(judge, cell.baseline[3], wrong=4)
    assert summarise(judge).figures == judged


@pytest.mark.slow
def test_five_hundred_trials_are_reported_on_in_three_seconds(make_judge, write_trial):
    features = ",".join(f"swa[start={place / 100}]" for place in range(10, 26))
    judge = make_judge(features, models="gcn,sage,gat", budget=10, all_gates=True)
    for feature in judge.plan.features:
        for cell in feature.cells:
            for seed in range(10):
                for arm, wrong in ((cell.baseline, 4), (cell.candidate, 4 - seed % 2)):
                    if not judge.store.finished(arm[seed]):
                        write_trial(judge, arm[seed], wrong=wrong + seed % 3)
    assert len(judge.store.keys()) == 510
    write_json(judge.store.root / PLAN_FILE, judge.plan.model_dump(mode="json"))
    start = time.process_time()
    summary = summarise(open_stored(judge.store.root))
    assert time.process_time() - start < 3
    assert summary.trials == 510, "all that is there was read"
