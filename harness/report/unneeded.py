"""The report of a gate that had nothing to judge, in place of an older one that answers else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.files import write_json, write_whole
from harness.gates.policy import Policy
from harness.matrix.blocks import TimingSettings
from harness.matrix.planned import Plan
from harness.matrix.shapes import Shape, baseline_of
from harness.report.markdown import escape
from harness.report.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.config import RunConfig


def write_unneeded(config: RunConfig, lines: Sequence[str], folder: Path) -> None:
    """Write ``verdict.json`` without a feature, whose verdict is PASS, and ``report.md``.

    An older page is removed, since it would show verdicts beside these that are not theirs; what
    is stored stays as it is, and ``ablate report`` judges it anew.

    Args:
        config: what could have been judged.
        lines: why nothing is.
        folder: of the report; made where there is none.

    Raises:
        HarnessError: if the baseline is unknown.
        OSError: if the folder cannot be written.
    """
    plan = Plan(
        baseline=tuple(sorted(map(str, baseline_of(config.baseline)))),
        policy=Policy(config.policy),
        budget=config.seeds,
        all_gates=config.all_gates,
        timing=TimingSettings(epochs=config.timing_epochs, blocks=config.timing_blocks),
        hardware=(),
        features=(),
        data={},
        trials={},
        shape=Shape(config.shape),
    )
    summary = Summary(plan=plan, features=(), figures=(), trials=0, commits=())
    text = "\n".join(["# Ablation: nothing to judge", "", *(f"- {escape(line)}" for line in lines)])
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "verdict.json", summary.to_json())
    write_whole(folder / "report.md", f"{text}\n".encode())
    (folder / "report.html").unlink(missing_ok=True)
