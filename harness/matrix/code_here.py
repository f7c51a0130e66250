"""What this machine's code says of a plan from elsewhere: which of the plan's code it is not.

A trial's key holds the hashes of all code that it went through, so that trials of other code are
never taken for those of today's. A merge only tells of them. Where a feature's code is here, what
the plan says of its complexity and its claim is held against it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import NotMeasuredError, StoreError, UsageError
from harness.feature import FEATURES
from harness.matrix.measures import measure
from harness.matrix.spec import engine_key, imported_key
from harness.selection import parse

if TYPE_CHECKING:
    from harness.gates.complexity import Measures
    from harness.hardware import Hardware
    from harness.matrix.planned import Plan, PlannedFeature
    from harness.matrix.spec import TrialSpec

ENGINE = "the training code"
_MODEL, _IMPORTS, _INPUTS = "model:", ", imports", "inputs:"


def foreign_code(plan: Plan, where: str) -> tuple[str, ...]:
    """Names of the code that the plan's trials went through and that is not this machine's.

    Args:
        plan: checked by itself before.
        where: where it came from, for messages.

    Raises:
        StoreError: if the plan says something else of a feature than the feature's own file.
    """
    specs = plan.trials.values()
    sources = {item for spec in specs for item in spec.sources.items()}
    foreign = {name for name, key in sources if not _is_here(name, key)}
    for feature in plan.features:
        names = {one.name for one in parse(feature.name)}
        if not names & foreign and names <= {name for name, _ in sources}:
            _check_said(feature, where)
    engine = [ENGINE] if {spec.engine for spec in specs} - {engine_key()} else []
    return (*engine, *sorted(foreign))


def check_here(spec: TrialSpec, hardware: Hardware) -> None:
    """Refuse a trial that this machine would not train as its key says.

    Args:
        spec: the trial, as another machine described it.
        hardware: this machine, with the trial's threads.

    Raises:
        NotMeasuredError: if code, versions or hardware are others; names them.
    """
    others = [name for name, key in spec.sources.items() if not _is_here(name, key)]
    if spec.engine != engine_key():
        others.insert(0, ENGINE)
    if others:
        raise NotMeasuredError(
            f"other code here than where the plan was made: {', '.join(others)}",
            mend="install the same version of the harness and of all features on every machine",
        )
    for package, version in spec.versions.items():
        here = hardware.versions.get(package)
        if here != version:
            raise NotMeasuredError(
                f"{package} {here} here, and {version} where the plan was made",
                mend="install the same versions on every machine",
            )
    if hardware.kind != spec.hardware:
        raise NotMeasuredError(
            f"this machine is {hardware.kind}, and the trial is one of {spec.hardware}"
        )


def _is_here(name: str, key: str) -> bool:
    """Whether a file that a plan names by its hash is this machine's; nothing else is read.

    What a feature reads beside its own code is the data of whoever ran it, and no code.
    """
    from harness.models import MODELS  # noqa: PLC0415 - loads torch

    if name.startswith(_INPUTS):
        return True
    owner = name.removesuffix(_IMPORTS)
    try:
        if owner.startswith(_MODEL):
            entry = MODELS.get(owner.removeprefix(_MODEL))
            return key == (imported_key(entry.make) if owner != name else entry.source_key)
        kind = FEATURES.get(owner)
        return key == (imported_key(kind) if owner != name else kind.source_key())
    except (UsageError, OSError):
        return False


def _check_said(feature: PlannedFeature, where: str) -> None:
    kinds = [FEATURES.get(one.name) for one in parse(feature.name)]
    said = {"complexity": _counted(feature.complexity), "claim": feature.claim}
    here = {"complexity": _counted(measure(kinds)), "claim": kinds[0].claim.value}
    for name, value in here.items():
        if said[name] != value:
            raise StoreError(
                f"its plan says of {feature.name} that its {name} is {said[name]}, and its file, "
                f"which is the same here, that it is {value}",
                where=where,
                mend="the store was changed; take it from its machine again",
            )


def _counted(measures: Measures | None) -> object:
    """Measures without the names of packages, which depend on what is installed."""
    if measures is None:
        return None
    return {
        **vars(measures),
        "hooks": list(measures.hooks),
        "dependencies": len(measures.dependencies),
    }
