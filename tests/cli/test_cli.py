"""The command line as a person meets it: help, listings, errors with exit code 2, whole runs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.graphs.dataset import save
from harness.hardware import describe
from harness.testing import planted_graphs

PLUGIN = Path(__file__).parents[1] / "matrix" / "planted_features.py"


@pytest.fixture
def process(tmp_path):
    """Run the command in an empty folder, in a process of its own."""

    def run(*arguments, code=0, env=None):
        done = subprocess.run(
            [sys.executable, "-m", "harness", *map(str, arguments)],
            capture_output=True, text=True, cwd=tmp_path, timeout=240, check=False,
            env={**os.environ, "COLUMNS": "80", **(env or {})},
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "planted"
    save(planted_graphs(240, seed=3), folder)
    return folder


@pytest.mark.parametrize(
    "command",
    [
        "",
        "run",
        "gate",
        "plan",
        "report",
        "merge",
        "train",
        "tune",
        "features",
        "models",
        "key",
        "data",
        "data info",
    ],
)
def test_every_command_explains_itself(ablate, command):
    out = ablate(*command.split(), "--help").stdout
    assert "Usage" in out
    assert max(map(len, out.splitlines())) <= 80


def test_listings_and_cards(ablate):
    assert "swa" in ablate("features").stdout
    assert "When it hurts" in ablate("features", "swa").stdout
    assert "heads" in ablate("models", "gat").stdout
    assert "inverted_guard" in ablate("data", "list").stdout


def test_the_engines_key_is_one_word_and_stays(ablate):
    first, second = (ablate("key").stdout for _ in range(2))
    assert re.fullmatch(r"[0-9a-f]{16}\n", first)
    assert first == second


def test_two_owners_of_a_slot_stop_the_run_before_anything_trains(ablate, data, tmp_path):
    done = ablate(
        "run", "--plugins", PLUGIN, "--features", "swa+planted_schedule", "--data", data, code=2
    )
    assert "'planted_schedule' and 'swa' both own the slot 'scheduler'" in done.stderr
    assert not (tmp_path / ".ablation" / "results").exists()


def test_data_that_cannot_be_split_stop_the_run_before_anything_trains(ablate, tmp_path):
    save(planted_graphs(8), tmp_path / "few")
    done = ablate("run", "--data", "few", code=2)
    assert "error: few: " in done.stderr
    assert "a split needs at least 5 of each" in done.stderr
    assert not (tmp_path / ".ablation" / "results" / "trials").exists()


def test_a_whole_run_writes_its_verdict_and_a_report_repeats_it(process, data, tmp_path):
    arguments = (
        "run", "--plugins", PLUGIN, "--features", "planted_constant", "--models", "gcn",
        "--baseline", "plain", "--data", data, "--epochs", 2, "--out", "out",
    )  # fmt: skip
    done = process(*arguments, code=1)
    assert "planted_constant" in done.stdout
    assert "collapse" in done.stdout
    document = json.loads((tmp_path / "out" / "verdict.json").read_text())
    assert document["verdict"] == "FAIL"
    assert (tmp_path / "out" / "report.md").read_text().startswith("# Ablation: FAIL")
    again = process(*arguments, code=1)
    assert again.stdout == done.stdout
    assert json.loads(process(*arguments, "--json", code=1).stdout) == document
    shown = process("report", "out", code=1)
    assert shown.stdout == done.stdout
    as_json = process("report", "out", "--format", "json", code=1)
    assert json.loads(as_json.stdout) == document
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "planted_constant" in page
    quiet = process("report", "out", "--format", "junit", "--output", "ablation.xml", code=1)
    assert quiet.stdout == ""
    assert "<failure " in (tmp_path / "ablation.xml").read_text()


def test_a_plan_says_what_a_run_takes_and_trains_no_ablation(process, data, tmp_path):
    done = process(
        "plan", "--plugins", PLUGIN, "--features", "planted_noop,swa", "--models", "gcn",
        "--data", data, "--epochs", 2, "--seeds", 20, "--out", "out", "--batch-size", "auto",
    )  # fmt: skip
    assert re.match(
        r"batch size 16: about \d+ [KM]iB of \S+ [GM]iB, 9 steps an epoch\n", done.stdout
    )
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert re.search(r"planted_noop +1 +20 +20 +6 +20 +40\n", done.stdout)
    assert "60 trials; " in done.stdout
    assert "s an epoch (probed)" in done.stdout
    assert "sd of 0.02, which is assumed" in done.stdout
    assert re.search(r"true \+3 points at sd 0.02 passes in 5\d % within 20 pairs", done.stdout)
    assert not (tmp_path / "out").exists()


def test_a_plan_counts_what_other_machines_found(process, data, tmp_path):
    question = (
        "--plugins", PLUGIN, "--features", "planted_constant", "--models", "gcn",
        "--baseline", "plain", "--data", data, "--epochs", 2,
        "--share", (tmp_path / "bucket").as_uri(),
    )  # fmt: skip
    before = process("plan", *question, "--out", "mine")
    assert "(probed)" in before.stdout
    process("run", *question, "--out", "theirs", code=1)
    after = process("plan", *question, "--out", "mine")
    assert "stored trial" in after.stdout
    assert re.search(r"\d trials, \d of them stored;", after.stdout)
    assert not (tmp_path / "mine").exists()


def test_a_run_of_pairs_names_what_cannot_be_and_a_report_repeats_it(process, data, tmp_path):
    # Constant logits collapse at the first seed, so four trials are all that is run.
    done = process(
        "run", "--plugins", PLUGIN, "--shape", "pairs", "--models", "gcn", "--baseline", "plain",
        "--features", "planted_constant,planted_noop,planted_noop+swa", "--data", data,
        "--epochs", 2, "--out", "out", code=1,
    )  # fmt: skip
    impossible = "planted_noop+planted_noop+swa cannot be combined: feature 'planted_noop' stands"
    assert impossible in " ".join(done.stderr.split())
    assert impossible in " ".join(done.stdout.split())
    document = json.loads((tmp_path / "out" / "verdict.json").read_text())
    assert document["shape"] == "pairs"
    assert [one["name"] for one in document["uncombined"]] == ["planted_noop+planted_noop+swa"]
    pair = document["features"]["planted_constant+planted_noop"]
    assert pair["interactions"][0]["n"] == 0
    assert pair["interactions"][0]["dropped"] == [0]
    assert process("report", "out", code=1).stdout == done.stdout


def test_stores_are_merged_and_reported_on(process, data, tmp_path):
    kinds = ",".join(describe("cpu", threads).kind for threads in (1, 2))
    for threads in (1, 2):
        process(
            "run", "--plugins", PLUGIN, "--features", "planted_constant", "--models", "gcn",
            "--baseline", "plain", "--data", data, "--epochs", 2, "--threads", threads,
            "--hardware", kinds, "--out", f"out-{threads}", code=1,
        )  # fmt: skip
    done = process("merge", "out-1", "out-2", "--out", "all")
    for threads, kind in enumerate(kinds.split(","), 1):
        assert f"from {tmp_path.resolve() / f'out-{threads}'}: {kind}\n" in done.stdout
    shown = process("report", "all", "--format", "markdown", code=1)
    cells = [line for line in shown.stdout.splitlines() if line.startswith("| planted")]
    assert all(any(kind in line for line in cells) for kind in kinds.split(","))


def test_one_training_run(process, data, tmp_path):
    done = process(
        "train", "--data", data, "--model", "sage[hidden=8]", "--features", "plain", "--epochs", 6,
        "--warmup-epochs", 9, "--out", "one", "--batch-size", "auto", "--batch-nodes", 200,
    )  # fmt: skip
    assert re.match(r"batch size 16: about \d+ [KM]iB of \S+ [GM]iB, 12 steps", done.stdout)
    assert "gate: F1" in done.stdout
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert {"best.pt", "last.pt", "metrics_history.csv"} <= names


@pytest.fixture
def hanging(data, tmp_path):
    """A run in the middle of a trial that hangs."""
    arguments = (
        "run", "--plugins", PLUGIN, "--features", "planted_crash[way=hang]", "--models", "gcn",
        "--baseline", "plain", "--data", data, "--epochs", 2, "--out", "out",
    )  # fmt: skip
    command = [sys.executable, "-m", "harness", *map(str, arguments)]
    running = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("out/work/*/last.pt")) and time.monotonic() < deadline:
        time.sleep(0.1)
    yield running
    running.kill()
    running.communicate()


def test_a_stopped_run_says_how_to_go_on(hanging):
    hanging.send_signal(signal.SIGINT)
    _, err = hanging.communicate(timeout=60)
    assert hanging.returncode == 130
    assert "run the same command to go on" in err
    assert "Traceback" not in err


def test_one_that_is_told_again_and_again_leaves_without_a_traceback(hanging):
    deadline = time.monotonic() + 60
    while hanging.poll() is None and time.monotonic() < deadline:
        hanging.send_signal(signal.SIGINT)
        time.sleep(0.02)
    _, err = hanging.communicate(timeout=60)
    assert hanging.returncode == 130
    assert "Traceback" not in err
