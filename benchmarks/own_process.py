"""A measurement in a new process: a peak of memory cannot be taken back, nor what was loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.arms import ROOT
from harness.settings import TrainingSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import DataclassInstance


def ask(module: str, folder: Path, model: str, settings: TrainingSettings) -> dict[str, Any]:
    """Run a module that answers, in a new process of one thread; gives the fields of its answer.

    Raises:
        subprocess.CalledProcessError: if it ends with an error.
    """
    words = [str(folder), model, settings.model_dump_json()]
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", module, *words],
        stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def answer(measure: Callable[[Path, str, TrainingSettings], DataclassInstance]) -> None:
    """Measure what the words of this process say, and print the fields for the one that asked."""
    folder, model, settings = sys.argv[1:]
    found = measure(Path(folder), model, TrainingSettings.model_validate_json(settings))
    print(json.dumps(asdict(found)))  # noqa: T201 - the answer
