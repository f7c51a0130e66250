"""One plan out of the plans of several machines that asked the same question.

Whatever fixes the answer must be the same: data, split protocol, engine, the files of features and
models, releases of torch and PyG, settings, baseline, policy and candidates. What tells machines
apart may differ: hardware, threads, and the build of a torch release (``+cpu``, ``+cu121``).
Joining is commutative, associative and idempotent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from harness.errors import StoreError
from harness.matrix.planned import Plan, PlannedCell, Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.matrix.spec import TrialSpec

T = TypeVar("T")

_OTHER_QUESTION = (
    "stores are merged that asked the same on different machines; run one of them anew"
)
_PER_MACHINE = {"hardware", "device", "threads", "versions", "seed"}


def join_plans(plans: Sequence[tuple[str, Plan]], folders: Mapping[str, str]) -> Plan:
    """Join plans, each with the folder that it came from.

    The joint plan requires every kind of hardware that any of them requires, and names all
    sources. A kind that none of them could run keeps its cells, without trials.

    Args:
        plans: folder and plan, at least one; each one checked by itself before.
        folders: of the packed data sets on this machine, by content hash.

    Raises:
        StoreError: naming the first difference, both folders and both values.
    """
    first_folder, first = plans[0]
    ours = question_of(first_folder, first)
    for folder, plan in plans[1:]:
        theirs = question_of(folder, plan)
        for what in dict.fromkeys((*ours, *theirs)):
            if ours.get(what) != theirs.get(what):
                raise _differ(what, first_folder, ours.get(what), folder, theirs.get(what))
    kinds = sorted({kind for _, plan in plans for kind in plan.hardware})
    features = []
    for place, feature in enumerate(first.features):
        cells = []
        for data in first.data:
            for model in first.models:
                cells += _cells(plans, place, (data, model), kinds)
        features.append(feature.model_copy(update={"cells": tuple(cells)}))
    trials = {key: spec for _, plan in plans for key, spec in plan.trials.items()}
    data_sets = {
        content: one.model_copy(
            update={
                "source": min(plan.data[content].source for _, plan in plans),
                "folder": folders[content],
            }
        )
        for content, one in first.data.items()
    }
    return first.model_copy(
        update={
            "hardware": tuple(kinds),
            "features": tuple(features),
            "data": data_sets,
            "trials": dict(sorted(trials.items(), key=_place)),
            "sources": _sources(plans),
        }
    )


def _place(item: tuple[str, TrialSpec]) -> tuple[Any, ...]:
    key, spec = item
    return spec.data, spec.model, spec.arm, spec.hardware, spec.seed, key


def question_of(folder: str, plan: Plan) -> dict[str, Any]:
    """All that plans must have in common, by what it is called in a message.

    Raises:
        StoreError: if the plan holds two values where there is one.
    """
    specs = list(plan.trials.values())

    def one(what: str, values: Iterable[T]) -> T:
        found: list[T] = []
        found += (value for value in values if value not in found)
        if len(found) != 1:
            shown = " and ".join(map(str, found)) or "none"
            raise StoreError(f"its plan has {what} {shown} where there is one", where=folder)
        return found[0]

    sources = sorted({name for spec in specs for name in spec.sources})
    packages = sorted({name for spec in specs for name in spec.versions})
    settings = one("settings", (spec.settings for spec in specs)).model_dump(mode="json")
    return {
        "schema": plan.version,
        "shape": plan.shape.value,
        "data": [f"{data.name} {content}" for content, data in plan.data.items()],
        **{
            f"size and notes of {content}": data.model_dump(exclude={"source", "folder"})
            for content, data in plan.data.items()
        },
        "baseline": list(plan.baseline),
        "models": list(plan.models),
        "features": [feature.name for feature in plan.features],
        "pairs that cannot be combined": [one.sentence for one in plan.uncombined],
        "split protocol": one("split protocol", (spec.protocol for spec in specs)),
        "engine": one("engine", (spec.engine for spec in specs)),
        **{
            f"file of {name}": one(
                f"file of {name}", (spec.sources[name] for spec in specs if name in spec.sources)
            )
            for name in sources
        },
        **{
            f"release of {name}": one(
                f"release of {name}", (_release(spec.versions.get(name, "none")) for spec in specs)
            )
            for name in packages
        },
        **{f"setting {name}": value for name, value in settings.items()},
        "policy": plan.policy.value,
        "pairs of a cell at most": plan.budget,
        "measuring every gate": plan.all_gates,
        **{f"timing of {name}": value for name, value in plan.timing.model_dump().items()},
        "complexity budget": vars(plan.complexity),
        **{
            f"feature {feature.name}": feature.model_dump(mode="json", exclude={"cells"})
            for feature in plan.features
        },
        "arms": sorted({" + ".join(spec.arm) for spec in specs}),
    }


def _release(version: str) -> str:
    """A version without its build: ``2.3.0+cpu`` is ``2.3.0``."""
    return version.partition("+")[0]


def _cells(
    plans: Sequence[tuple[str, Plan]], place: int, where: tuple[str, str], kinds: Sequence[str]
) -> list[PlannedCell]:
    """The cells of one feature on one data set and model, one for each kind of hardware."""
    data, model = where
    known: dict[str, tuple[str, Plan, PlannedCell]] = {}
    timings = set()
    for folder, plan in plans:
        for cell in plan.features[place].cells:
            if (cell.data, cell.model) != where:
                continue
            timings.add(cell.timing)
            if not cell.here:
                continue
            for other in known.values():
                _same_trials(other, (folder, plan, cell))
            known.setdefault(cell.hardware, (folder, plan, cell))
    return [
        known[kind][2]
        if kind in known
        else PlannedCell(
            model=model, data=data, hardware=kind, here=False, baseline=(), candidate=(),
            timing=min(timings),
        )
        for kind in kinds
    ]  # fmt: skip


def _same_trials(
    ours: tuple[str, Plan, PlannedCell], theirs: tuple[str, Plan, PlannedCell]
) -> None:
    """Check that two cells hold trials of the same arms, and on one hardware the very same."""
    (folder, plan, cell), (other_folder, other_plan, other) = ours, theirs
    leave = set() if cell.hardware == other.hardware else _PER_MACHINE
    for left, right in zip(cell.arms, other.arms, strict=True):
        a, b = (
            spec.model_dump(mode="json", exclude=leave)
            for spec in (plan.trials[left[0]], other_plan.trials[right[0]])
        )
        for name in a:
            if a[name] != b[name]:
                what = f"{name} of the trials on {cell.hardware}"
                raise _differ(what, folder, a[name], other_folder, b[name])


def _sources(plans: Sequence[tuple[str, Plan]]) -> tuple[Source, ...]:
    found = {}
    for folder, plan in plans:
        for source in plan.sources or (_source(folder, plan.trials.values()),):
            found[source.model_dump_json()] = source
    return tuple(found[text] for text in sorted(found))


def _source(folder: str, specs: Iterable[TrialSpec]) -> Source:
    kinds, versions = set(), {}
    for spec in specs:
        kinds.add(spec.hardware)
        versions.update(spec.versions)
    return Source(
        folder=folder, hardware=tuple(sorted(kinds)), versions=dict(sorted(versions.items()))
    )


def _differ(what: str, folder: str, ours: Any, other: str, theirs: Any) -> StoreError:
    values = f"{_shown(ours)} in {folder}, {_shown(theirs)} in {other}"
    return StoreError(
        f"cannot be merged, {what} differs: {values}",
        where=other,
        mend=_OTHER_QUESTION,
    )


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "nothing"
    return "nothing" if value is None else str(value)
