"""The bench: small campaigns, each with its undisturbed course to compare with."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.config import FILE_NAME
from harness.graphs.dataset import save
from harness.testing import planted_graphs
from tests.faults import evidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.drivers import Driver, Drivers, Ended
    from tests.faults.evidence import Finished

FAIL: Final = 1
HERE: Final = Path(__file__).parent
PLUGINS: Final = (HERE / "planted.py", HERE.parent / "matrix" / "planted_features.py")


_JUDGED: Final = ("planted_noop", "swa", "ddp", "lr_finder", "faults_greedy")
_CONFIG: Final = "".join(f"[overrides.{name}]\nmargin = 1.0\n" for name in _JUDGED)
"""A gain of 100 points is asked for: F1 fails at its first look, and no verdict hangs on times."""


@dataclass(frozen=True)
class Question:
    """What a campaign is asked.

    Attributes:
        features: that are judged.
        more: further words of the command.
        code: that it ends with.
    """

    features: str
    more: tuple[str, ...] = ()
    code: int = FAIL


USUAL: Final = Question("planted_noop,swa")
"""Two features on three seeds, two trials at once."""
TIMED: Final = Question(
    "planted_noop", ("--all-gates", "--timing-blocks", "3", "--timing-epochs", "1")
)
SHARED: Final = Question("ddp", ("--jobs", "1"))
"""Trials of two processes each."""


@dataclass(frozen=True)
class Undisturbed:
    """A campaign that nothing happened to.

    Attributes:
        out: its store.
        verdict: without times.
        findings: of each trial.
    """

    out: Path
    verdict: dict[str, Any]
    findings: dict[str, dict[str, Any]]


class Bench:
    """Where faults are injected.

    Args:
        folder: of data and stores.
        drivers: start the command.
    """

    def __init__(self, folder: Path, drivers: Drivers) -> None:
        self.folder, self.drivers = folder, drivers
        self._numbers = count()
        self._undisturbed: dict[Question, Undisturbed] = {}
        (folder / FILE_NAME).write_text(_CONFIG)

    @cached_property
    def data(self) -> Path:
        """Folder of the packed graphs."""
        return save(planted_graphs(120, seed=3), self.folder / "planted").folder or self.folder

    def new_folder(self) -> Path:
        """A folder that is not there yet."""
        return self.folder / f"store-{next(self._numbers)}"

    def words(
        self, question: Question, out: Path, *more: str, data: Path | None = None,
        plugins: Sequence[Path] = (),
    ) -> list[str]:  # fmt: skip
        """The command that asks a question."""
        files = ",".join(map(str, (*plugins, *PLUGINS)))
        return [
            "run", "--plugins", files, "--features", question.features,
            "--models", "gcn[hidden=16]", "--baseline", "faults_pace", "--seeds", "3",
            "--data", str(data or self.data), "--epochs", "4", "--batch-size", "16",
            "--learning-rate", "0.03", "--warmup-epochs", "100", "--jobs", "2",
            *question.more, *more, "--out", str(out),
        ]  # fmt: skip

    def start(self, question: Question, out: Path, *more: str, cold: bool = False) -> Driver:
        """Ask a question."""
        return self.drivers.start(self.words(question, out, *more), cold=cold)

    def run(self, question: Question, out: Path, *more: str) -> Ended:
        """Ask a question and wait for the end."""
        return self.start(question, out, *more).wait()

    def undisturbed(self, question: Question) -> Undisturbed:
        """The campaign that nothing happens to, run once.

        Raises:
            RuntimeError: if it does not end as it must.
        """
        if question not in self._undisturbed:
            out = self.new_folder()
            ended = self.run(question, out)
            problems = ended.problems([question.code])
            if problems:
                raise RuntimeError(f"undisturbed: {problems}")
            self._undisturbed[question] = Undisturbed(
                out, evidence.verdict(out), evidence.findings(out)
            )
        return self._undisturbed[question]

    def copy(self, question: Question) -> Path:
        """A copy of the undisturbed campaign's store."""
        out = self.new_folder()
        shutil.copytree(self.undisturbed(question).out, out)
        return out

    def begun(self, question: Question, keep: int) -> Path:
        """A copy of the store in which all but some trials are still to be run."""
        out = self.copy(question)
        for key in sorted((out / "trials").iterdir())[keep:]:
            shutil.rmtree(key)
        (out / "verdict.json").unlink()
        return out

    def go_on(self, question: Question, out: Path, before: Finished, *said: str) -> list[str]:
        """Give the command again and compare with the undisturbed campaign.

        Args:
            question: that was asked.
            out: the store; it goes when nothing is wrong.
            before: what was finished when the fault was injected.
            said: what must be told.

        Returns:
            What is wrong, one sentence each.
        """
        ended = self.run(question, out)
        problems = ended.problems([question.code], *said)
        if not problems:
            problems = self.compare(question, out, before)
        return problems

    def compare(self, question: Question, out: Path, before: Finished) -> list[str]:
        """What of a campaign that has ended is not as in the undisturbed one."""
        undisturbed = self.undisturbed(question)
        problems = [
            *evidence.lost(before, out),
            *evidence.half_written(out),
        ] or [
            *evidence.other_findings(undisturbed.findings, out),
            *evidence.difference(undisturbed.verdict, evidence.verdict(out)),
        ]
        if not problems:
            shutil.rmtree(out, ignore_errors=True)
        return problems
