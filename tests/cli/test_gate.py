"""``ablate gate`` as CI meets it: real repositories, real runs on planted data."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import jsonschema
import pytest

import features
import harness
from harness.cli import gate as gate_module
from harness.errors import ExitCode
from harness.graphs.dataset import save
from harness.testing import planted_graphs

SCHEMA = Path(__file__).parents[2] / "docs" / "verdict.schema.json"
FEATURE = '''
@register
class {title}(Feature):
    """Multiply the model's output by zero."""

    name: ClassVar[str] = "{name}"
    claim: ClassVar[Claim] = Claim.QUALITY

    def on_fit_start(self, run: Run) -> None:
        """Hook the model."""
        run.model.register_forward_hook(lambda module, given, logits: logits * ZERO)
'''
HEAD = """from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harness import Claim, Feature, register
{more}
if TYPE_CHECKING:
    from harness import Run
"""


@pytest.fixture
def repo(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "a tester")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "tester@example.org")
    folder = tmp_path / "repo"
    folder.mkdir()
    _git(folder, "init", "-q")
    (folder / ".gitignore").write_text("/planted\n/out\n__pycache__\n")
    return folder


@pytest.fixture
def project(repo):
    """Two files of features, one of them with a helper, and planted data."""
    save(planted_graphs(240, seed=3), repo / "planted")
    helped = HEAD.format(more="from gate_helper import ZERO\n")
    (repo / "helped.py").write_text(helped + FEATURE.format(title="A", name="gate_a"))
    (repo / "gate_helper.py").write_text("ZERO = 0\n")
    both = HEAD.format(more="\nZERO = 0\n")
    for title, name in (("B", "gate_b"), ("C", "gate_c")):
        both += FEATURE.format(title=title, name=name)
    (repo / "both.py").write_text(both)
    _commit(repo)
    return repo


def _git(folder, *arguments):
    subprocess.run([shutil.which("git"), *arguments], cwd=folder, check=True, capture_output=True)


def _commit(folder):
    _git(folder, "add", "-A")
    _git(folder, "commit", "-qm", "more")


def _replace(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def _append(file, text):
    file.write_text(file.read_text() + text)


def _ablate(folder, *arguments, code):
    done = subprocess.run(
        [sys.executable, "-m", "harness", *map(str, arguments)],
        capture_output=True, text=True, cwd=folder, timeout=240, check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def _trials(folder):
    """Finished trials by their arm."""
    found = [json.loads(file.read_text()) for file in folder.glob("out/trials/*/result.json")]
    return Counter("+".join(one["spec"]["arm"]) for one in found)


def test_a_change_runs_what_it_concerns_and_nothing_else(project):
    asked = (
        "--plugins", "helped.py,both.py", "--features", "gate_a,gate_b,gate_c", "--models", "gcn",
        "--baseline", "plain", "--data", "planted", "--epochs", 2, "--jobs", 1, "--out", "out",
    )  # fmt: skip
    _ablate(project, "run", *asked, code=1)
    before = _trials(project)
    assert before == {"": 1, "gate_a": 1, "gate_b": 1, "gate_c": 1}

    # Words alone, though they make other keys.
    _replace(project / "gate_helper.py", "ZERO", "# Nothing.\nZERO")
    _replace(project / "both.py", "Hook the model.", "Hook it.")
    out = _ablate(project, "gate", *asked, "--since", "HEAD", code=0)
    assert "layout alone: gate_helper.py, both.py." in out
    assert "No code changed that is trained: no run is needed" in out
    assert _trials(project) == before
    verdict = json.loads((project / "out" / "verdict.json").read_text())
    assert (verdict["verdict"], verdict["features"]) == ("PASS", {})
    jsonschema.validate(verdict, json.loads(SCHEMA.read_text()))
    assert "No code changed" in (project / "out" / "report.md").read_text()
    assert not (project / "out" / "report.html").exists()

    # Code that a feature imports, whose own file is the same; one of two features in a file, whose
    # text makes the keys of both.
    _replace(project / "gate_helper.py", "= 0", "= 0.0")
    _replace(
        project / "both.py", 'name: ClassVar[str] = "gate_c"', 'order = 1\n    name = "gate_c"'
    )
    out = _ablate(project, "gate", *asked, "--since", "HEAD", code=1)
    assert "feature gate_a: changed: gate_helper.py\n" in out
    assert "feature gate_c: changed: both.py\n" in out
    assert "To be judged, 2 of 3: gate_a, gate_c\n" in out
    assert _trials(project) - before == {"gate_a": 1, "gate_c": 1}
    verdict = json.loads((project / "out" / "verdict.json").read_text())
    assert list(verdict["features"]) == ["gate_a", "gate_c"]
    assert verdict["verdict"] == "FAIL"
    assert "gate_b" not in (project / "out" / "report.md").read_text()


def test_the_engine_and_built_in_features_are_compared_where_they_are_in_the_repository(repo):
    for package in (harness, features):
        source = Path(package.__file__).parent
        shutil.copytree(source, repo / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    (repo / "constraints.txt").write_text("torch==1.0\n")
    _commit(repo)
    asked = ("gate", "--since", "HEAD", "--features", "swa,tensorboard", "--stale-baseline")
    out = _ablate(repo, *asked, "changed", code=0)
    assert "Nothing changed that is trained" in out

    shutil.move(repo / "features" / "swa.py", repo / "features" / "weights.py")
    (repo / "features" / "amp.py").unlink()
    _replace(repo / "harness" / "run.py", '"""', '"""In other words: ')
    _append(repo / "harness" / "gates" / "words.py", "MORE = 1\n")
    out = _ablate(repo, *asked, "all", code=0)
    assert "feature swa: the same code, which was in features/swa.py" in out
    assert "feature amp: deleted" in out
    assert "layout alone: harness/run.py" in out
    assert "builds data or judges: harness/gates/words.py" in out
    assert "No code changed that is trained" in out

    (repo / "constraints.txt").write_text("torch==2.0\n")
    _append(repo / "harness" / "settings.py", "MORE = 1\n")
    out = _ablate(repo, *asked, "changed", code=0)
    assert "every trial goes through: harness/settings.py\n" in out
    assert "torch is pinned at 2.0, and was at 1.0" in out
    assert "The stored baseline is void" in out
    assert "Nothing asked for changed itself" in out
    written = {path.name for path in (repo / ".ablation").rglob("*") if path.is_file()}
    assert written == {"verdict.json", "report.md"}


@pytest.fixture
def gate(repo, ablate, monkeypatch):
    """Run the command in a repository; judging gives the exit code that is asked for."""
    monkeypatch.chdir(repo)
    _commit(repo)
    monkeypatch.setattr(gate_module, "judge_and_show", lambda *_, **__: ExitCode(gives[0]))
    gives = [0]

    def run(*arguments, judged=0, code=0):
        gives[0] = judged
        done = ablate("gate", *arguments, code=code)
        return done.stdout + done.stderr

    return run


@pytest.mark.parametrize("judged", list(ExitCode))
def test_the_exit_code_is_the_verdicts_but_for_inconclusive_as_asked(gate, judged):
    assert gate("--features", "swa", judged=judged, code=judged) == ""
    for word, code in (("fail", 1), ("pass", 0)):
        changed = judged == ExitCode.INCONCLUSIVE
        out = gate(
            "--features", "swa", "--inconclusive", word, judged=judged,
            code=code if changed else judged,
        )  # fmt: skip
        assert (f"INCONCLUSIVE counts as {word.upper()} here" in out) == changed


def test_environment_variables_are_flags_too(gate, monkeypatch):
    monkeypatch.setenv("ABLATION_FEATURES", "swa")
    monkeypatch.setenv("ABLATION_INCONCLUSIVE", "pass")
    assert "counts as PASS" in gate(judged=3)
    monkeypatch.setenv("ABLATION_SINCE", "nothing")
    assert "no such revision" in gate(code=2)


def test_neither_features_nor_revision_is_said_with_both_ways(gate):
    said = gate(code=2)
    assert "--since REV" in said
    assert "--features a,b" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--since=--help"], "'--help' is no revision"),
        (["--since", "no such"], "there is no such revision"),
        (["--since", ""], "is no revision"),
        (["--since", "HEAD", "--features", "swaa"], "did you mean swa"),
        (["--since", "HEAD", "--models", "transformer"], "no model 'transformer'"),
        (["--since", "HEAD", "--inconclusive", "maybe"], "'maybe' is not one of"),
    ],
)
def test_what_cannot_be_is_said_with_exit_code_2(gate, arguments, says):
    assert says in gate(*arguments, code=2)


def test_no_repository(gate, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "no working tree of a git repository" in gate("--since", "HEAD", code=2)


def test_what_is_installed_elsewhere_is_not_compared(gate):
    out = gate("--since", "HEAD")
    assert "outside of the repository or ignored by git, not compared: feature amp, " in out
    assert ", the engine\n" in out
    assert gate("--since", "HEAD", "--quiet").count("\n") == 1


def test_a_plugin_that_is_no_python_is_an_error(gate, repo):
    (repo / "broken.py").write_text("def f(:\n")
    said = gate("--since", "HEAD", "--plugins", "broken.py", code=2)
    assert "broken.py:1: cannot be imported: SyntaxError" in said
