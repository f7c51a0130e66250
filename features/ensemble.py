"""Ensembles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain, zip_longest
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from harness import (
    Claim,
    Feature,
    Scores,
    Selection,
    Split,
    UsageError,
    fit_each,
    judge_gate,
    model_values,
    parse_single,
    register,
    select_metrics,
    split_list,
    write_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from harness import FitResult, FitSpec

SEED_STRIDE = 10_007
"""From a member's seed to the next one's; more than any gate has seeds."""

EDGE = 2.0**-24
"""Probabilities nearer to 0 or 1 count as this near: fp32 has none between 1 - EDGE and 1."""

FILE_NAME = "ensemble.json"


class By(StrEnum):
    """What sets the members apart, beside their seeds."""

    SEED = "seed"
    BAGGING = "bagging"
    ARCHITECTURE = "architecture"


@register
class Ensemble(Feature):
    """Train several members, average their logits, and choose the threshold for the average.

    Why: members err in different places, so their mean errs less, and it is better calibrated
    than any of them. ``by=seed``: members differ in initialisation, data order and dropout; the
    first is the run without the ensemble. ``by=bagging``: each trains on groups drawn with
    replacement, as many as there are; a group goes with all of its graphs, since graphs of one
    group are near copies. Draws are made within the groups that hold safe graphs, vulnerable
    ones, or both, so that no bag lacks a class. ``by=architecture``: the run's own model, then
    the others named in ``architectures``, in turn; they take over those of its values that they
    have. Logits are averaged as log odds, which for two classes is the same; the threshold is
    chosen on *select* for the average.

    When it hurts: training, storage and inference cost as many times as there are members; bags
    hold 63 % of the groups, which small networks miss more than they gain by variety.

    Known limitations: members train in several processes where the fit may use them, on the CPU
    with one thread each, else one after the other, with the same bits. A member that collapses is
    left out and named; the ensemble collapses if all do, or if it predicts one class. Each
    member keeps its checkpoints in a folder of its own, so an interrupted ensemble goes on where
    it was; ``ensemble.json`` lists them. One state fits one model: the weights given back, and the
    history, are those of the member with the best *select* F1 among those of the run's own
    model, but times are sums, and the chosen epoch's scores are the ensemble's. Log odds are
    those of fp32 probabilities: whoever is surer than +-16.6 counts as that sure. The code of a
    third-party architecture is no part of a trial's key.

    Source: Lakshminarayanan et al., "Simple and Scalable Predictive Uncertainty Estimation using
    Deep Ensembles", NeurIPS 2017; Breiman, "Bagging Predictors", Machine Learning 24, 1996.
    """

    name: ClassVar[str] = "ensemble"
    claim: ClassVar[Claim] = Claim.QUALITY

    by: By = Field(By.SEED, description="seed, bagging or architecture: what sets members apart")
    members: int = Field(3, ge=2, le=100, description="models that are trained and averaged")
    architectures: str = Field(
        "sage,gcn,gin,gat",
        max_length=1000,
        description="models beside the run's own, by commas, for by=architecture",
    )

    @field_validator("architectures")
    @classmethod
    def _known(cls, text: str) -> str:
        try:
            named = [model_values(parse_single(part)) for part in split_list(text)]
        except UsageError as error:
            raise ValueError(error.what) from error
        if not named:
            raise ValueError("names no model")
        return text

    def around_fit(self, fit: Callable[[FitSpec], FitResult], spec: FitSpec) -> FitResult:
        """Train the members and join what they found."""
        specs = [self.member(spec, number) for number in range(self.members)]
        members = list(map(Member, range(1, len(specs) + 1), specs, fit_each(fit, specs)))
        result = join(members, spec.model)
        if spec.folder is not None:
            write_json(spec.folder / FILE_NAME, described(members, result))
        notes = [f"ensemble: {self.members} members by {self.by}; {costs(members)}"]
        return replace(result, notes=(*notes, *chain.from_iterable(one.notes for one in members)))

    def member(self, spec: FitSpec, number: int) -> FitSpec:
        """What one member trains."""
        changes: dict[str, Any] = {"seed": spec.seed + SEED_STRIDE * number}
        if self.by is By.BAGGING:
            bag = bagged(spec.split.train, spec, np.random.default_rng((spec.seed, number, 1)))
            changes["split"] = Split(bag, spec.split.select, spec.split.gate)
        if self.by is By.ARCHITECTURE:
            models = self.models(spec.model)
            changes["model"] = models[number % len(models)]
        return spec.member(folder_of(number + 1), **changes)

    def models(self, own: Selection) -> list[Selection]:
        """The architectures in turn: the run's own, then the others."""
        named = [parse_single(part) for part in split_list(self.architectures)]
        return [own, *(with_values(model, own) for model in named if model.name != own.name)]


@dataclass(frozen=True)
class Member:
    """One member: its number from 1, what it trained, and what it found."""

    number: int
    spec: FitSpec
    found: FitResult

    @property
    def rank(self) -> int:
        """2 for a member that did well, 1 for one that collapsed but has scores, 0 without."""
        scored = self.found.gate is not None
        return scored + (scored and self.found.collapse is None)

    @property
    def standing(self) -> tuple[int, float]:
        """What members are compared by."""
        return self.rank, self.f1

    @property
    def f1(self) -> float:
        """*select* F1 of the chosen epoch; -1 without one."""
        epoch = self.found.best_epoch
        return self.found.history[epoch].f1 if epoch >= 0 else -1.0

    @property
    def size(self) -> int:
        """Bytes of the weights."""
        return sum(value.nbytes for value in self.found.state.values())

    @property
    def notes(self) -> list[str]:
        """How it went, in words, and what it said itself."""
        end = self.found.collapse
        how = f"collapsed ({end.rule}): {end.detail}" if end else f"select F1 {self.f1:.3f}"
        said = (f"{self.spec.model}, seed {self.spec.seed}, {how}", *self.found.notes)
        return [f"member {self.number}: {note}" for note in said]

    @property
    def row(self) -> dict[str, Any]:
        """Its line in ``ensemble.json``; ``rank`` says who is averaged: the highest there is."""
        return {
            "folder": folder_of(self.number),
            "model": str(self.spec.model),
            "seed": self.spec.seed,
            "best_epoch": self.found.best_epoch,
            "select_f1": self.f1,
            "rank": self.rank,
            "bytes": self.size,
        }

    def seconds(self, name: str) -> list[float]:
        """Wall seconds of that name, by epoch."""
        return [getattr(record, name) for record in self.found.history]


def folder_of(number: int) -> str:
    """Name of a member's folder, where its ``best.pt`` is."""
    return f"member-{number}"


def bagged(
    train: NDArray[np.int64], spec: FitSpec, random: np.random.Generator
) -> NDArray[np.int64]:
    """Places ``[G_bag]`` of the graphs of groups drawn with replacement, ascending.

    Groups are drawn within those that hold the same classes, as many as there are of them.
    """
    group, label = spec.graphs.group[train], spec.graphs.label[train]
    names, of_graph = np.unique(group, return_inverse=True)
    vulnerable = np.bincount(of_graph, label == 1) > 0
    safe = np.bincount(of_graph, label != 1) > 0
    times = np.zeros(len(names), dtype=np.int64)
    for kind in (safe & ~vulnerable, vulnerable & ~safe, safe & vulnerable):
        places = np.flatnonzero(kind)
        drawn = places[random.integers(0, max(len(places), 1), len(places))]
        times += np.bincount(drawn, minlength=len(names))
    bag: NDArray[np.int64] = np.repeat(train, times[of_graph])
    return bag


def with_values(model: Selection, own: Selection) -> Selection:
    """A model with those values of the run's own that it has too; those given to it come first."""
    known = model_values(Selection(model.name))
    shared = {name: value for name, value in own.values.items() if name in known}
    return Selection(model.name, {**shared, **model.values})


def log_odds(probability: NDArray[np.float32]) -> NDArray[np.float64]:
    """Log odds ``[m]`` of probabilities ``[m]``: the difference of a graph's two logits."""
    inside = np.clip(probability.astype(np.float64), EDGE, 1 - EDGE)
    return np.log(inside) - np.log1p(-inside)


def averaged(scores: Sequence[Scores]) -> Scores:
    """The scores of averaged logits, for the graphs of the first."""
    first = scores[0]
    mean = np.mean([log_odds(one.probability) for one in scores], axis=0)
    losses = np.logaddexp(0.0, np.where(first.label == 1, -mean, mean))
    probability = np.exp(-np.logaddexp(0.0, -mean)).astype(np.float32)
    return Scores(first.index, first.label, probability, float(losses.mean()))


def join(members: Sequence[Member], model: Selection) -> FitResult:
    """The result of an ensemble, out of its members' ones.

    Args:
        members: at least one, of which one or more are of the run's own model.
        model: the run's own, whose weights are given back.
    """
    own = [member for member in members if member.spec.model == model]
    best = with_times(max(own, key=attrgetter("standing")).found, members)
    most = max(member.rank for member in members)
    if most == 0:
        return best
    averaging = [member.found for member in members if member.rank == most]
    select = averaged(list(map(attrgetter("select"), averaging)))
    gate = averaged(list(map(attrgetter("gate"), averaging)))
    metrics = select_metrics(select)
    threshold = float(metrics["threshold"])
    history = list(best.history)
    if best.best_epoch >= 0:
        history[best.best_epoch] = history[best.best_epoch].model_copy(update=metrics)
    return replace(
        best,
        history=tuple(history),
        threshold=threshold,
        select=select,
        gate=gate,
        collapse=averaging[0].collapse or judge_gate(gate, threshold, best.best_epoch),
    )


def with_times(found: FitResult, members: Sequence[Member]) -> FitResult:
    """A result whose seconds are those of all members."""
    train = _sums([member.seconds("train_seconds") for member in members])
    evaluation = _sums([member.seconds("evaluation_seconds") for member in members])
    history = [
        record.model_copy(update={"train_seconds": one, "evaluation_seconds": other})
        for record, one, other in zip(found.history, train, evaluation, strict=False)
    ]
    results = [member.found for member in members]
    return replace(
        found,
        history=tuple(history),
        train_seconds=_sums(list(map(attrgetter("train_seconds"), results))),
        setup_seconds=sum(map(attrgetter("setup_seconds"), results)),
        finish_seconds=sum(map(attrgetter("finish_seconds"), results)),
    )


def costs(members: Sequence[Member]) -> str:
    """What the ensemble costs to store and to ask, in words."""
    total, first = sum(map(attrgetter("size"), members)), members[0].size
    return (
        f"weights take {total / 2**20:.2f} MiB where one model takes {first / 2**20:.2f}, and "
        f"a graph passes through {len(members)} models"
    )


def described(members: Sequence[Member], result: FitResult) -> dict[str, Any]:
    """What ``ensemble.json`` holds: enough to put the ensemble together again, and its costs."""
    passes = list(map(attrgetter("evaluation_seconds"), result.history))
    return {
        "members": list(map(attrgetter("row"), members)),
        "threshold": result.threshold,
        "bytes": sum(map(attrgetter("size"), members)),
        "inference_seconds_per_graph": float(np.median(passes)) / len(members[0].spec.split.select),
    }


def _sums(rows: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Sums of the members' numbers, epoch by epoch; those who stopped early add nothing."""
    return tuple(map(sum, zip_longest(*rows, fillvalue=0.0)))
