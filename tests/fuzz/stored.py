"""Targets that are stored results: reports on a store, merges of it, checkpoints, studies."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shutil
from typing import TYPE_CHECKING

import optuna
import torch
from rich.console import Console

from features.param_groups import read_checkpoint
from harness.errors import HarnessError
from harness.feature import make_arm
from harness.graphs.splits import split_by_seed
from harness.matrix.merge import merge
from harness.matrix.planned import PLAN_FILE
from harness.matrix.store import GATE, RESULT
from harness.matrix.stored import open_stored
from harness.report.console import show
from harness.report.formats import Format
from harness.report.frames import load
from harness.report.summary import summarise
from harness.report.write import to_text
from harness.result import FitSpec
from harness.selection import parse, parse_single
from harness.settings import TrainingSettings
from harness.testing import planted_graphs
from harness.training import checkpoint
from harness.training.best import Best
from harness.training.fit import FitSession
from harness.training.history import FILE_NAME, read_history
from harness.training.live import LiveRun
from harness.tuning.storage import open_storage
from tests.fuzz.made_up import make_store
from tests.fuzz.mutate import mutate_bytes, mutate_json, mutate_lines, mutate_zip
from tests.fuzz.target import MIB, Prepared, Target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.fuzz.mutate import Mutator

_FORMS = (Format.MARKDOWN, Format.JSON, Format.JUNIT)


def _files(out: Path) -> Mapping[Path, Mutator]:
    trials = sorted((out / "trials").iterdir())
    first, last = trials[0], trials[-1]
    parts = [
        path for part in ("blocks", "references", "failures") for path in (out / part).iterdir()
    ]
    return {
        out / PLAN_FILE: mutate_json,
        first / RESULT: mutate_json,
        last / RESULT: mutate_json,
        first / GATE: mutate_zip,
        last / FILE_NAME: mutate_bytes,
        **dict.fromkeys(sorted(parts), mutate_json),
    }


def _vouch(out: Path) -> None:
    """Give every result the digest of its predictions as they are now."""
    for trial in (out / "trials").iterdir():
        with contextlib.suppress(ValueError, RecursionError, TypeError, AttributeError):
            result = json.loads((trial / RESULT).read_bytes())
            digest = hashlib.sha256((trial / GATE).read_bytes()).hexdigest()
            if result["gate_digest"] is not None and result["gate_digest"] != digest:
                result["gate_digest"] = digest
                (trial / RESULT).write_text(json.dumps(result))


def _report(folder: Path) -> Prepared:
    return _reported(folder, _FORMS)


def _page(folder: Path) -> Prepared:
    return _reported(folder, (Format.HTML,))


def _reported(folder: Path, forms: Sequence[Format]) -> Prepared:
    make_store(folder, "swa,amp", "pairs")
    out = folder / "out"
    files = _files(out)
    results = {path: path.read_bytes() for path in (out / "trials").glob(f"*/{RESULT}")}

    def read() -> None:
        if any(path.read_bytes() != sound for path, sound in results.items()):
            _read_all()
            return
        _vouch(out)
        try:
            _read_all()
        finally:
            for path, content in results.items():
                path.write_bytes(content)

    def _read_all() -> None:
        judge = open_stored(out)
        summary = summarise(judge)
        show(summary, Console(file=io.StringIO(), width=120))
        for form in forms:
            to_text(judge, summary, form)

    return Prepared(files, read)


def _frames(folder: Path) -> Prepared:
    make_store(folder)
    out = folder / "out"
    files = {path: how for path, how in _files(out).items() if "trials" in path.parts}

    def read() -> None:
        load(out).to_csv(index=False)
        load(out, "epoch").to_csv(index=False)

    return Prepared(files, read)


def _merge(folder: Path) -> Prepared:
    make_store(folder)
    out, merged = folder / "out", folder / "merged"
    files = _files(out)
    results = {path: path.read_bytes() for path in (out / "trials").glob(f"*/{RESULT}")}

    def read() -> None:
        fits = all(path.read_bytes() == sound for path, sound in results.items())
        if fits:
            _vouch(out)
        try:
            merge([out], merged, folder / "no-data")
            judge = open_stored(merged)
            to_text(judge, summarise(judge), Format.JSON)
        finally:
            shutil.rmtree(merged, ignore_errors=True)
            if fits:
                for path, content in results.items():
                    path.write_bytes(content)

    return Prepared(files, read)


def _history(folder: Path) -> Prepared:
    make_store(folder)
    path = next((folder / "out" / "trials").glob(f"*/{FILE_NAME}"))
    return Prepared({path: mutate_bytes}, lambda: read_history(path))


def _spec(folder: Path) -> FitSpec:
    graphs = planted_graphs(48)
    return FitSpec(
        graphs=graphs,
        split=split_by_seed(graphs.label, graphs.group, 0),
        model=parse_single("gcn[hidden=4]"),
        arm=make_arm(parse("swa[start=0.3]")),
        settings=TrainingSettings(epochs=3, batch_size=16, warmup_epochs=1000),
        folder=folder,
    )


def _checkpoint(folder: Path) -> Prepared:
    torch.set_num_threads(1)
    spec = _spec(folder)
    session = FitSession(spec)
    session.run_epoch()
    session.run_epoch()
    path = folder / checkpoint.LAST

    def read() -> None:
        read_one = None
        try:
            read_checkpoint(path)
        except HarnessError as error:
            read_one = error
        run = LiveRun(spec)
        run.emit("on_fit_start")
        checkpoint.restore(run, Best(), path)
        if read_one is not None:
            raise read_one

    return Prepared({path: mutate_zip}, read)


def _study(folder: Path) -> Prepared:
    path = folder / "study.journal"
    storage = open_storage(str(path), None).optuna
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(storage=storage, study_name="s", direction="maximize")
    study.set_user_attr("question", {"a": 1})
    for _ in range(3):
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        trial.suggest_categorical("y", ["a", "b"])
        trial.report(0.5, 1)
        trial.set_user_attr("worker", "w")
        study.tell(trial, 0.5)

    def read() -> None:
        opened = open_storage(str(path), None).optuna
        optuna.create_study(
            storage=opened, study_name="s", direction="maximize", load_if_exists=True
        ).get_trials()

    return Prepared({path: mutate_lines}, read)


TARGETS = (
    Target("report", _report),
    Target("page", _page),
    Target("frames", _frames),
    Target("merge", _merge),
    Target("history", _history),
    Target("checkpoint", _checkpoint, memory=1024 * MIB),
    Target("study", _study),
)
