"""Runs the shell steps of CI files here; artifacts, outputs and shims stand for the rest.

Steps that install (``id: install``) are left out, since the project is there already, and steps
that use an action are done by copying folders.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

INSTALL = "install"
_EXPRESSION = re.compile(r"\$\{\{\s*([\w.]+)\s*\}\}")


class Machine:
    """A folder in which jobs run, with ``ablate`` and a ``gh`` that writes down what it is told.

    Args:
        folder: an empty one.
        root: of the code under test.
        environment: variables of every job; they win over the file's.
    """

    def __init__(self, folder: Path, root: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.artifacts = folder / "artifacts"
        self.summary = folder / "summary.md"
        self.said = folder / "gh.txt"
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        self._shim("ablate", f'exec "{sys.executable}" -m harness "$@"')
        self._shim("gh", f'echo "$@" >> "{self.said}"')
        self.environment = {
            **os.environ,
            "PATH": os.pathsep.join([str(self.bin), os.environ["PATH"]]),
            "PYTHONPATH": str(root),
            "OMP_NUM_THREADS": "1",
            "GITHUB_STEP_SUMMARY": str(self.summary),
        }
        self.ours = environment

    def _shim(self, name: str, body: str) -> None:
        (self.bin / name).write_text(f"#!/bin/sh\n{body}\n")
        (self.bin / name).chmod(0o755)

    def bash(self, script: str, place: Path, more: dict[str, str]) -> int:
        """Run a script as CI does, stopping at the first error; gives its exit code."""
        done = subprocess.run(
            [shutil.which("bash"), "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=place, env={**self.environment, **more, **self.ours}, check=False,
            capture_output=True, text=True, timeout=900,
        )  # fmt: skip
        sys.stdout.write(f"$ {script}\n{done.stdout}{done.stderr}[{done.returncode}]\n")
        assert "Traceback" not in done.stderr
        return done.returncode


def run_github_job(
    machine: Machine, workflow: dict, name: str, known: dict[str, str] | None = None
) -> int:
    """Run one job of a workflow in a checkout of its own; gives the first exit code that is not 0.

    Args:
        machine: where.
        workflow: the parsed file.
        name: of the job.
        known: values of expressions, such as ``{"matrix.kind": "t4"}``.
    """
    known = dict(known or {})
    job = workflow["jobs"][name]
    place = machine.folder / "-".join([name, *known.values()])
    shutil.copytree(machine.folder / "checkout", place)
    variables = {**workflow["env"], **job.get("env", {})}
    code = 0
    for step in job["steps"]:
        if code and step.get("if") != "always()":
            continue
        if "uses" in step:
            _use(machine, place, step, known)
        elif step["id"] != INSTALL:
            output = place / f".{step['id']}.output"
            more = {
                key: filled(value, known)
                for key, value in {**variables, **step.get("env", {})}.items()
            }
            ended = machine.bash(step["run"], place, {**more, "GITHUB_OUTPUT": str(output)})
            code = code or ended
            for line in output.read_text().splitlines() if output.exists() else ():
                key, _, value = line.partition("=")
                known[f"steps.{step['id']}.outputs.{key}"] = value
    return code


def filled(text: str, known: dict[str, str]) -> str:
    """A text with the expressions that are known; others stay."""
    return _EXPRESSION.sub(lambda found: known.get(found[1], found[0]), str(text))


def _use(machine: Machine, place: Path, step: dict, known: dict[str, str]) -> None:
    action = step["uses"].partition("@")[0].partition("/")[2]
    given = {key: filled(value, known) for key, value in step.get("with", {}).items()}
    if action == "upload-artifact":
        shutil.copytree(
            place / given["path"],
            machine.artifacts / given["name"],
            # As the action does by default.
            ignore=shutil.ignore_patterns(".*"),
        )
    elif action == "download-artifact" and "pattern" in given:
        for one in machine.artifacts.glob(given["pattern"]):
            shutil.copytree(one, place / given["path"] / one.name)
    elif action == "download-artifact":
        shutil.copytree(machine.artifacts / given["name"], place / given["path"])
    elif action == "cache":
        assert "${{" not in given["key"].replace("${{ github.run_id }}", ""), given["key"]
    else:
        assert action in ("checkout", "setup-python"), action


def run_gitlab_job(machine: Machine, jobs: dict, name: str, more: dict[str, str]) -> int:
    """Run one job of a GitLab file; its artifacts go to the jobs after it.

    Args:
        machine: where.
        jobs: the parsed file.
        name: of the job.
        more: variables of the job, such as those of its matrix.
    """
    job = jobs[name]
    place = machine.folder / "-".join([name, *more.values()])
    shutil.copytree(machine.folder / "checkout", place)
    if machine.artifacts.exists():
        shutil.copytree(machine.artifacts, place, dirs_exist_ok=True)
    code = machine.bash("\n".join(job["script"]), place, {**jobs["variables"], **more})
    for path in job["artifacts"]["paths"]:
        if (place / path).is_dir():
            shutil.copytree(place / path, machine.artifacts / path, dirs_exist_ok=True)
    return code
