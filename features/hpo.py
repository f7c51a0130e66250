"""Hyper-parameter search."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from pydantic import Field, ValidationError, model_validator

from harness import Claim, Feature, Search, content_key, register

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness import FitResult, FitSpec

FOLDER = "search"
SPACE = "learning_rate=3e-4..1e-2:log, class_weights.multiplier?=0.5..4:log, focal_loss.gamma?=0..4"


@register
class HPO(Feature):
    """Search for the run's values, then train once with the best: TPE with pruning, by Optuna.

    Why: rates and weights that are right for one model are wrong for the next, and nobody tries
    as many by hand. Each trial trains on seeds of the search's own, on graphs of the run's train
    and select parts alone, and is judged by its select F1; no graph of the gate is seen before
    the winner is read there, once. A searched learning rate takes the place of a feature that
    would choose one. What is searched is a text such as "focal_loss.gamma=0..4,
    learning_rate=1e-4..1e-2:log"; an entry with ? is left out where the arm has no such feature.

    When it hurts: it costs ``trials`` times ``repeats`` further runs, which the time gate counts;
    and the best of many noisy F1s is partly luck, the more so the smaller select is. Values of
    the model can be searched too: the run then has another size than its baseline.

    Known limitations: one process; ``ablate tune`` is the same search by several. A search goes
    on after an interruption only if the run does (--resume). Other features that wrap the whole
    fit run inside each trial, are not searched and switch pruning by epoch off. Needs the extra
    ``hpo``: pip install 'gnn-ablation-harness[hpo]'.

    Source: Akiba et al., "Optuna: A Next-generation Hyperparameter Optimization Framework",
    KDD 2019; Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011.
    """

    name: ClassVar[str] = "hpo"
    claim: ClassVar[Claim] = Claim.QUALITY
    order: ClassVar[int] = -100  # around all other wraps: each trial is a whole fit with them

    trials: int = Field(8, ge=1, le=10_000, description="sets of values that are tried")
    repeats: int = Field(1, ge=1, le=100, description="training runs of each trial, on own seeds")
    space: str = Field(SPACE, max_length=4096, description="what is searched, as in ablate tune")
    pruner: str = Field(
        "median", pattern="^(median|wilcoxon|none)$", description="median, wilcoxon or none"
    )
    timeout: float = Field(0.0, ge=0, description="seconds after which no trial is begun; 0: none")
    storage: str = Field(
        "", max_length=1000, description="journal file or database URL; empty: in the run's folder"
    )
    report: bool = Field(False, description="write Optuna's plots into the run's folder")  # noqa: FBT003

    @model_validator(mode="after")
    def _possible(self) -> Self:
        try:
            self._search()
        except ValidationError as error:
            raise ValueError(error.errors()[0]["msg"]) from error
        return self

    def around_fit(self, fit: Callable[[FitSpec], FitResult], spec: FitSpec) -> FitResult:
        """Search, then train the winner in the run's own folder and split.

        Raises:
            UsageError: if the extra is missing, or the space does not fit the run.
        """
        others = tuple(feature for feature in spec.arm if feature.name != self.name)
        folder = None if spec.folder is None else spec.folder / FOLDER
        search = self._search()
        won = search.run(
            spec.with_arm(others),
            fit,
            folder=folder,
            within=np.concatenate([spec.split.train, spec.split.select]),
            outside=[one.name for one in others if "around_fit" in one.hooks()],
            anew=not spec.resume,
        )
        notes = [f"{self.name}: {won.sentence}"]
        if self.report and folder is not None:
            notes.append(f"{self.name}: plots in {search.report(won, folder)}")
        result = fit(won.spec.with_arm((self, *won.spec.arm)))
        return replace(
            result,
            notes=(*notes, *result.notes),
            setup_seconds=result.setup_seconds + won.seconds,
        )

    @classmethod
    def source_key(cls) -> str:
        """Hash of this file and of the search behind it."""
        return content_key([super().source_key(), Search.source_key()], length=16)

    def _search(self) -> Search:
        fields = self.model_dump(exclude={"report"})
        return Search.model_validate(fields)
