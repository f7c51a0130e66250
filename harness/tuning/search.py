"""The search as its callers see it: what is searched and how, and the run that won."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.errors import UsageError
from harness.hashing import content_key, files_key

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import numpy as np
    from numpy.typing import NDArray

    from harness.result import FitResult, FitSpec
    from harness.selection import Scalar

PACKAGES = ("optuna", "plotly")
FEWEST_FOR_WILCOXON = 5


class Pruner(StrEnum):
    """What stops a trial early."""

    MEDIAN = "median"
    WILCOXON = "wilcoxon"
    NONE = "none"


@dataclass(frozen=True)
class Winner:
    """What a search found.

    Attributes:
        spec: the run with the winning values, ready to be trained.
        values: what won, by name.
        value: its *select* F1, mean over the search's seeds.
        number: of the winning trial.
        done: trials that were trained to the end.
        pruned: trials that were stopped early.
        failed: trials that could not be trained.
        dropped: features that the search took out of the run, since it chooses in their place.
        seconds: wall seconds of all trials, added up.
        study: name of the study.
        where: its storage, passwords left out.
    """

    spec: FitSpec
    values: dict[str, Scalar]
    value: float
    number: int
    done: int
    pruned: int
    failed: int
    dropped: tuple[str, ...]
    seconds: float
    study: str
    where: str

    @property
    def sentence(self) -> str:
        """What won and out of how many; without its number, which an interruption moves."""
        values = ", ".join(f"{name}={value}" for name, value in self.values.items())
        out = f" in place of {', '.join(self.dropped)}" if self.dropped else ""
        nothing = "" if self.value else "; no trial found anything: all collapsed"
        return (
            f"{values}{out}: select F1 {self.value:.4f}, the best of {self.done} trials "
            f"({self.pruned} more were pruned, {self.failed} failed){nothing}"
        )


class Search(BaseModel):
    """A search over the values of a run: TPE on *select* F1, with pruning.

    Optuna does the searching; without it ``run`` says how to install it. The trials train on
    seeds that no gate uses, each with a split of its own. A collapsed run counts as F1 0.

    Attributes:
        space: what is searched; the grammar is that of ``harness.tuning.space``.
        trials: of the whole study, over all its workers and sessions.
        repeats: training runs of each trial, on different seeds; their mean F1 counts.
        pruner: ``median`` stops a trial whose epochs stay below the median of the others' at the
            same epoch, ``wilcoxon`` one whose seeds are significantly worse than the best trial's.
        timeout: seconds after which no further trial is begun; 0 for none.
        storage: path or URL; "" for a journal file in the folder that ``run`` is given.
        study: name of the study; "" for one made of everything that is searched.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    space: str
    trials: int = Field(20, ge=1, le=100_000)
    repeats: int = Field(1, ge=1, le=100)
    pruner: Pruner = Pruner.MEDIAN
    timeout: float = Field(0.0, ge=0)
    storage: str = Field("", max_length=1000)
    study: str = Field("", max_length=100)

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.pruner is Pruner.WILCOXON and self.repeats < FEWEST_FOR_WILCOXON:
            raise ValueError(
                f"pruner wilcoxon compares trials over their seeds: repeats must be at least "
                f"{FEWEST_FOR_WILCOXON}"
            )
        return self

    def run(
        self,
        spec: FitSpec,
        fit: Callable[[FitSpec], FitResult],
        *,
        folder: Path | None = None,
        within: NDArray[np.int64] | None = None,
        outside: Collection[str] = (),
        anew: bool = False,
    ) -> Winner:
        """Take part in the search until its trials are done, and name the winner.

        Other processes that call this with the same storage share the trials; what a killed one
        left is begun again. The winner's spec keeps seed, split and folder of the given one.

        Args:
            spec: the run whose values are searched; its seed chooses the search's own.
            fit: trains a spec.
            folder: of the journal file where ``storage`` is empty; None keeps it in memory.
            within: places of the graphs that may be trained on and looked at; None for the parts
                *train* and *select* of the search's own splits of all graphs.
            outside: features of the arm whose fields cannot be searched.
            anew: forget what the study holds.

        Raises:
            UsageError: if the space does not fit the run, the storage cannot be used, or Optuna
                is not installed.
            DataError: if the data cannot be split, or the journal is damaged.
            NotMeasuredError: if no trial could be trained.
        """
        require()
        from harness.tuning.study import Study  # noqa: PLC0415 - needs the extra

        study = Study.open(self, spec, folder=folder, within=within, outside=outside, anew=anew)
        try:
            study.work(fit)
            return study.winner()
        finally:
            study.storage.close()

    def report(self, winner: Winner, folder: Path) -> Path:
        """Write Optuna's plots of the winner's study into one HTML file; gives its path.

        Raises:
            OSError: if the folder cannot be written.
        """
        require()
        from harness.tuning.plots import write_plots  # noqa: PLC0415 - needs the extra

        return write_plots(self, winner, folder)

    @staticmethod
    def source_key() -> str:
        """Hash of the search's own code, for the key of what depends on it."""
        files = sorted(Path(__file__).parent.glob("*.py"))
        return content_key([files_key(files), _version()], length=16)


def require() -> None:
    """Check that the extra is installed.

    Raises:
        UsageError: naming the package that is missing and how to install it.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"a search needs the package '{missing[0]}', which is not installed",
            mend="pip install 'gnn-ablation-harness[hpo]'",
        )


def _version() -> str | None:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return version("optuna")
    except PackageNotFoundError:
        return None
