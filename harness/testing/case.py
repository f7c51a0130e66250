"""A case for the contract: one feature, with small data and the models it is tried on."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from threadpoolctl import ThreadpoolController

from harness.errors import HarnessError
from harness.feature import Feature, make_feature
from harness.graphs.splits import split_by_seed
from harness.models import MODELS
from harness.result import FitSpec
from harness.selection import Selection, parse_single
from harness.settings import TrainingSettings
from harness.testing.data import planted_graphs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.graphs.dataset import PackedGraphs

SAMPLES = 64
BATCH_SIZE = 16


class ContractError(HarnessError):
    """A feature breaks a clause of its contract.

    Args:
        clause: name of the clause.
        feature: its selection or class.
        what: how it is broken, in one sentence.
        mend: what its author can do about it.
    """

    def __init__(self, clause: str, feature: str, what: str, *, mend: str) -> None:
        super().__init__(what, where=f"{feature}, clause '{clause}'", mend=mend)
        self.clause = clause


@dataclass(frozen=True)
class Case:
    """One feature to be checked.

    Attributes:
        feature: with the values it is checked at.
        models: the models it must work with.
        graphs: small data with a known answer.
        seed: of every run.
    """

    feature: Feature
    models: tuple[Selection, ...]
    graphs: PackedGraphs = field(default_factory=lambda: planted_graphs(SAMPLES))
    seed: int = 0

    @property
    def arm(self) -> tuple[Feature, ...]:
        """The arm with the feature alone."""
        return (self.feature,)

    def spec(
        self,
        arm: tuple[Feature, ...],
        *,
        model: Selection | None = None,
        settings: dict[str, Any] | None = None,
        **places: Any,
    ) -> FitSpec:
        """A run of an arm on the case's data.

        One-class epochs do not count as a collapse: the data are small and the runs short.

        Args:
            arm: the features to train with.
            model: the case's first by default.
            settings: of the loop, beside the case's own.
            places: ``folder``, ``cache`` and ``resume`` of the run.
        """
        values = {"epochs": 4, "batch_size": BATCH_SIZE, **(settings or {})}
        values.setdefault("warmup_epochs", values["epochs"])
        return FitSpec(
            graphs=self.graphs,
            split=split_by_seed(self.graphs.label, self.graphs.group, self.seed),
            model=model or self.models[0],
            arm=arm,
            settings=TrainingSettings(**values),
            seed=self.seed,
            **places,
        )

    def broken(self, clause: str, what: str, *, mend: str) -> ContractError:
        """The error that says that the feature breaks a clause."""
        return ContractError(clause, str(self.feature), what, mend=mend)


def make_case(
    feature: type[Feature] | Feature | Selection | str,
    models: Sequence[Selection | str] | None = None,
) -> Case:
    """Make a case from what an author has at hand.

    Args:
        feature: a class (at its defaults), an object, or a selection such as ``swa[start=0.5]``.
        models: selections of models, GIN first by default, because it has a state beside its
            weights, and then all other built-in ones.

    Raises:
        ContractError: if the feature has a field without a default.
        UsageError: if there is no such feature or model.
    """
    if isinstance(feature, str | Selection):
        made = make_feature(parse_single(feature) if isinstance(feature, str) else feature)
    else:
        kind = feature if isinstance(feature, type) else type(feature)
        missing = [name for name, info in kind.model_fields.items() if info.is_required()]
        if missing:
            raise ContractError(
                "card_is_complete",
                kind.__qualname__,
                f"field '{missing[0]}' has no default",
                mend="write it as: name: type = Field(default, description='...')",
            )
        made = feature() if isinstance(feature, type) else feature
    if models is None:
        models = sorted(_built_in(), key=lambda name: (name != "gin", name))
    parsed = tuple(parse_single(one) if isinstance(one, str) else one for one in models)
    return Case(made, parsed)


def _built_in() -> list[str]:
    return [name for name, entry in MODELS if entry.make.__module__.startswith("harness.models.")]


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread inside the block: the same bits every time."""
    before = torch.get_num_threads()
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)
