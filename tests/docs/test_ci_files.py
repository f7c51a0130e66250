"""The CI files for users: their structure, and their shell steps run on two kinds of CPU."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from harness.hardware import describe
from harness.testing import planted_graphs
from tests.docs.blocks import ROOT
from tests.docs.workflow import INSTALL, Machine, run_github_job, run_gitlab_job

GITHUB = ROOT / ".github/workflows/ablation.yml"
GITLAB = ROOT / "docs/ci/gitlab.yml"
PRE_COMMIT = ROOT / ".pre-commit-config.yaml"
FILES = [GITHUB, GITLAB, PRE_COMMIT, ROOT / "mkdocs.yml"]


@pytest.fixture(scope="module")
def workflow():
    found = yaml.safe_load(GITHUB.read_text("utf-8"))
    found["on"] = found.pop(True)  # YAML 1.1 reads the word so
    return found


@pytest.fixture(scope="module")
def gitlab():
    return yaml.safe_load(GITLAB.read_text("utf-8"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_is_plain_yaml_without_tabs_or_hosts(path):
    text = path.read_text("utf-8")
    assert "\t" not in text
    assert yaml.safe_load(text)
    assert not re.search(r"https?://|\b[\w-]+\.(io|org|com|net)\b", text)
    assert text == "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def test_every_action_is_pinned_and_says_its_version(workflow):
    for line in GITHUB.read_text("utf-8").splitlines():
        if "uses:" in line:
            assert re.search(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line
    assert workflow["permissions"] == {"contents": "read"}


def test_jobs_have_steps_needs_that_exist_and_a_limit(workflow):
    jobs = workflow["jobs"]
    assert list(jobs) == ["data", "measure", "gate"]
    for name, job in jobs.items():
        needs = job.get("needs", [])
        assert set([needs] if isinstance(needs, str) else needs) <= jobs.keys() - {name}
        assert job["timeout-minutes"] > 0
        assert job["runs-on"]
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            if "run" in step:
                assert step["id"]
                # What others may choose reaches a shell as a variable, never as its text.
                assert "${{" not in step["run"]
    assert {"pull_request", "workflow_dispatch"} == workflow["on"].keys()


def test_there_is_a_job_for_every_kind_of_hardware_that_the_verdict_needs(workflow, gitlab):
    wanted = workflow["env"]["ABLATION_HARDWARE"].split(",")
    measure = workflow["jobs"]["measure"]
    assert measure["strategy"] == {"fail-fast": False, "matrix": {"kind": wanted}}
    assert measure["runs-on"] == ["self-hosted", "${{ matrix.kind }}"]
    assert gitlab["ablation-measure"]["parallel"]["matrix"] == [{"KIND": wanted}]
    assert gitlab["variables"]["ABLATION_HARDWARE"].split(",") == wanted


def test_the_cache_goes_by_the_engine(workflow, gitlab):
    steps = workflow["jobs"]["measure"]["steps"]
    cache = next(step for step in steps if step.get("uses", "").startswith("actions/cache@"))
    for key in ("key", "restore-keys"):
        assert "${{ steps.key.outputs.key }}-" in cache["with"][key]
    assert next(step for step in steps if step.get("id") == "key")["run"].count("ablate key") == 1
    assert "$(ablate key)" in gitlab["ablation-measure"]["script"][0]


def test_gitlab_jobs_have_a_stage_a_script_and_needs_that_exist(gitlab):
    jobs = {name: job for name, job in gitlab.items() if name.startswith("ablation-")}
    for job in jobs.values():
        assert job["stage"] in gitlab["stages"]
        assert job["extends"] in gitlab
        assert all(isinstance(line, str) for line in job["script"])
        assert set(job.get("needs", [])) <= jobs.keys()


def test_pre_commit_hooks_are_local_and_the_projects_own_tools():
    config = yaml.safe_load(PRE_COMMIT.read_text("utf-8"))
    assert [one["repo"] for one in config["repos"]] == ["local"]
    hooks = {hook["id"]: hook for hook in config["repos"][0]["hooks"]}
    assert list(hooks) == ["ruff-check", "ruff-format", "mypy", "lint-imports", "quick-tests"]
    for hook in hooks.values():
        assert hook["language"] == "system"
        assert hook["name"]
        assert hook["entry"].split()[0] in ("ruff", "mypy", "lint-imports", "pytest")
        assert "ablate" not in hook["entry"]
    assert set(config["default_install_hook_types"]) == {"pre-commit", "pre-push"}
    assert [one for one, hook in hooks.items() if "stages" in hook] == ["quick-tests"]


KINDS = {describe("cpu", threads).kind: str(threads) for threads in (1, 2)}
VARIABLES = {
    "ABLATION_HARDWARE": ",".join(KINDS), "ABLATION_DEVICE": "cpu", "ABLATION_DATA": "own.jsonl",
    "ABLATION_FEATURES": "planted_constant", "ABLATION_MODELS": "gcn[hidden=8]",
    "ABLATION_PLUGINS": str(ROOT / "tests/matrix/planted_features.py"),
    "ABLATION_BASELINE": "plain", "ABLATION_EPOCHS": "2", "ABLATION_JOBS": "1",
}  # fmt: skip
"""A question that one trial answers: constant logits collapse at the first seed."""


@pytest.fixture
def machine(tmp_path):
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    graphs = planted_graphs(240, seed=3)
    with (checkout / "own.jsonl").open("w") as file:
        for number, label in enumerate(graphs.label.tolist()):
            nodes = slice(*graphs.node_ptr[number : number + 2])
            edges = slice(*graphs.edge_ptr[number : number + 2])
            ends = (graphs.edge_source[edges], graphs.edge_target[edges])
            record = {
                "ast_nodes": [f"Kind{kind}" for kind in graphs.node_type[nodes].tolist()],
                "edge_index": [end.tolist() for end in ends],
                "label": label,
            }
            file.write(json.dumps(record) + "\n")
    # The data come as a path that the jobs set themselves, so it is not forced on them.
    given = {name: value for name, value in VARIABLES.items() if name != "ABLATION_DATA"}
    return Machine(tmp_path, ROOT, given)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_githubs_steps_run_on_two_kinds_of_cpu(machine, workflow):
    workflow = {**workflow, "env": {**workflow["env"], **VARIABLES}}
    assert run_github_job(machine, workflow, "data") == 0
    for kind, threads in KINDS.items():
        machine.ours["ABLATION_THREADS"] = threads
        assert run_github_job(machine, workflow, "measure", {"matrix.kind": kind}) == 0
    known = {"github.event.pull_request.number": "7", "github.token": "none"}
    assert run_github_job(machine, workflow, "gate", known) == 1
    report = machine.summary.read_text("utf-8")
    assert report.startswith("# Ablation: FAIL")
    assert all(kind in report.replace("\\", "") for kind in KINDS)
    assert machine.said.read_text().startswith("pr comment 7 --body-file comment.md")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_gitlabs_steps_run_on_two_kinds_of_cpu(machine, gitlab):
    gitlab = {**gitlab, "variables": {**gitlab["variables"], **VARIABLES}}
    assert run_gitlab_job(machine, gitlab, "ablation-data", {}) == 0
    for kind, threads in KINDS.items():
        machine.ours["ABLATION_THREADS"] = threads
        assert run_gitlab_job(machine, gitlab, "ablation-measure", {"KIND": kind}) == 0
    assert run_gitlab_job(machine, gitlab, "ablation-gate", {}) == 1
    report = (machine.folder / "ablation-gate/report.md").read_text("utf-8")
    assert report.startswith("# Ablation: FAIL")
    assert all(kind in report.replace("\\", "") for kind in KINDS)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_kind_that_did_not_run_is_no_pass(machine, workflow):
    workflow = {**workflow, "env": {**workflow["env"], **VARIABLES}}
    kind = next(iter(KINDS))
    # An observer that the policy asks to change nothing passes where it runs; on a busy machine
    # only a wide ratio of times is certain.
    machine.ours |= {
        "ABLATION_HARDWARE": f"{kind},t4", "ABLATION_FEATURES": "planted_insight",
        "ABLATION_POLICY": "claims", "ABLATION_SEEDS": "3", "ABLATION_EPOCHS": "15",
        "ABLATION_LEARNING_RATE": "0.01", "ABLATION_BATCH_SIZE": "32",
        "ABLATION_WARMUP_EPOCHS": "100", "ABLATION_TIMING_EPOCHS": "1",
        "ABLATION_TIMING_BLOCKS": "6", "ABLATION_MODELS": "gcn[hidden=16]",
        "ABLATION_OVERRIDES": '{"planted_insight": {"max_ratio": 50}}',
    }  # fmt: skip
    assert run_github_job(machine, workflow, "data") == 0
    assert run_github_job(machine, workflow, "measure", {"matrix.kind": kind}) == 0
    machine.ours["ON_INCONCLUSIVE"] = "fail"
    assert run_github_job(machine, workflow, "gate", {}) == 3
    report = machine.summary.read_text("utf-8").replace("\\", "")
    assert report.startswith("# Ablation: INCONCLUSIVE")
    assert "not run on: t4" in report


def test_a_machine_that_could_not_measure_fails_its_job(machine, workflow):
    step = next(
        step for step in workflow["jobs"]["measure"]["steps"] if step.get("id") == "run"
    )  # fmt: skip
    for code, wanted in ((0, 0), (1, 0), (3, 0), (2, 2), (4, 4)):
        machine._shim("ablate", f"exit {code}")
        assert machine.bash(step["run"], machine.folder, {"KIND": "t4"}) == wanted


@pytest.mark.parametrize(
    ("code", "meant", "wanted"),
    [("0", "pass", 0), ("1", "pass", 1), ("3", "pass", 0), ("3", "fail", 3), ("4", "pass", 4)],
)
def test_the_last_step_gives_the_verdicts_code(machine, workflow, code, meant, wanted):
    step = workflow["jobs"]["gate"]["steps"][-1]
    assert step["id"] == "verdict"
    more = {"CODE": code, "ON_INCONCLUSIVE": meant}
    assert machine.bash(step["run"], machine.folder, more) == wanted


def test_only_steps_that_install_are_left_out(workflow):
    for job in workflow["jobs"].values():
        scripts = {step["id"]: step["run"] for step in job["steps"] if "run" in step}
        assert "pip install -c constraints.txt ." in scripts.pop(INSTALL)
        assert not any("pip" in script for script in scripts.values())
