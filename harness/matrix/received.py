"""What a store from elsewhere holds, believed only as far as it can be recomputed.

A plan's keys are hashes of its trials, a trial's key of what it was, and its gate digest and F1 of
its predictions; all of them are computed anew. Which graphs were predicted, and their labels, the
data set says. The predictions themselves, how a run ended in training, the hardware and the seconds
of a timed block are what its machine says they are.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import StoreError, sentence_of
from harness.graphs.splits import split_by_seed
from harness.matrix.planned import PLAN_FILE, Plan
from harness.matrix.records import Failure, checked
from harness.matrix.sound import plan_problem
from harness.matrix.store import (
    GATE,
    KEPT,
    MAX_GATE_BYTES,
    RESULT,
    GateScores,
    TrialResult,
)
from harness.metrics import Confusion
from harness.seal import unsealed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.graphs.dataset import PackedGraphs
    from harness.matrix.inside import Inside
    from harness.matrix.spec import TrialSpec

_MEND = "the store was damaged or changed; take it from its machine again"
_ROUNDING = 1e-12


def read_plan(store: Inside) -> Plan | None:
    """Read a store's plan and check it against itself; None if there is none.

    Raises:
        StoreError: if it is damaged, or a key is not the hash of what it names.
    """
    found = store.json(PLAN_FILE)
    if found is None:
        return None
    where = store.path(PLAN_FILE)
    try:
        plan = Plan.model_validate(unsealed(found))
    except ValueError as error:
        raise StoreError(sentence_of(error), where=where, mend=_MEND) from error
    problem = plan_problem(plan)
    if problem:
        raise StoreError(problem, where=where, mend=_MEND)
    return plan


@dataclass(frozen=True)
class Truth:
    """What a data set says of a trial's gate part.

    Attributes:
        index: ``[m]`` places of its graphs in the data set, ascending.
        label: ``[m]`` of each.
    """

    index: NDArray[np.int64]
    label: NDArray[np.integer]


def truth_of(graphs: PackedGraphs, spec: TrialSpec) -> Truth:
    """Draw a trial's split anew, from data that was checked.

    Raises:
        DataError: if the data cannot be split.
    """
    index = split_by_seed(graphs.label, graphs.group, spec.seed).gate
    return Truth(index, graphs.label[index])


def read_trial(store: Inside, spec: TrialSpec, truth: Truth) -> dict[tuple[str, ...], bytes] | None:
    """Read the files of a finished trial; None if it is not finished.

    Args:
        store: the store.
        spec: the trial.
        truth: its gate part, from the data.

    Returns:
        The content of each file by its place in the trial's folder.

    Raises:
        StoreError: if it is damaged, another trial's, or does not say what its predictions say.
    """
    folder = ("trials", spec.key)
    content = store.read(*folder, RESULT)
    if content is None:
        return None
    where = store.path(*folder, RESULT)
    try:
        result = TrialResult.model_validate(unsealed(store.parsed(content, *folder, RESULT)))
    except ValueError as error:
        raise StoreError(sentence_of(error), where=where, mend=_MEND) from error
    problem = _result_problem(result, spec)
    if problem:
        raise StoreError(problem, where=where, mend=_MEND)
    files: dict[tuple[str, ...], bytes] = {(RESULT,): content}
    gate = _read_gate(store, result, truth)
    if gate is not None:
        files[GATE,] = gate
    present = set(store.names(*folder))
    for name in KEPT:
        if name not in present:
            continue
        places = store.files(*folder, name) if name == "tensorboard" else [(*folder, name)]
        for place in places:
            files[place[len(folder) :]] = store.read(*place) or b""
    return files


def _result_problem(result: TrialResult, spec: TrialSpec) -> str:
    ran = result.hardware
    if result.spec.key != spec.key:
        return "holds another trial than its folder's name says"
    if (ran.kind, ran.threads) != (spec.hardware, spec.threads):
        return (
            f"says that it ran on {ran.kind} with {ran.threads} threads and that it is a trial "
            f"of {spec.hardware} with {spec.threads}"
        )
    for name, version in spec.versions.items():
        if ran.versions.get(name) != version:
            return f"says that it ran with {name} {ran.versions.get(name)} and with {version}"
    if result.gate_digest is None and result.f1 is not None:
        return "has an F1 and no predictions"
    return ""


def _read_gate(store: Inside, result: TrialResult, truth: Truth) -> bytes | None:
    if result.gate_digest is None:
        return None
    place = ("trials", result.spec.key, GATE)
    content = store.read(*place, most=MAX_GATE_BYTES)
    if content is None:
        raise StoreError("is missing", where=store.path(*place), mend=_MEND)
    try:
        _check_gate(content, result, truth)
    except ValueError as error:
        raise StoreError(
            f"cannot be used: {error}", where=store.path(*place), mend=_MEND
        ) from error
    return content


def _check_gate(content: bytes, result: TrialResult, truth: Truth) -> None:
    if hashlib.sha256(content).hexdigest() != result.gate_digest:
        raise ValueError("not the file that the trial wrote")
    scores = GateScores.from_bytes(content)
    order = np.argsort(scores.index, kind="stable")
    if not np.array_equal(scores.index[order], truth.index):
        raise ValueError("its graphs are not those of the gate part of its seed")
    if not np.array_equal(scores.label[order], truth.label):
        raise ValueError("its labels are not those of the data set")
    f1 = Confusion.of(scores.label, scores.predicted).f1
    if result.f1 is None or not math.isclose(f1, result.f1, abs_tol=_ROUNDING):
        raise ValueError(f"its predictions have an F1 of {f1}, and the result says {result.f1}")


def read_blocks(store: Inside, key: str, most: int) -> list[dict[str, Any]] | None:
    """Read the timed blocks of a cell; None if there are none.

    Raises:
        StoreError: if they are damaged, or more than the plan allows.
    """
    found: list[dict[str, Any]] | None = _record(store, ("blocks", f"{key}.json"))
    if found is not None and len(found) > most:
        raise StoreError(
            f"holds {len(found)} timed blocks where its plan allows {most}",
            where=store.path("blocks", f"{key}.json"),
            mend=_MEND,
        )
    return found


def read_figures(store: Inside, name: str) -> dict[str, float] | None:
    """Read the reference figures of a split; None if there are none.

    Raises:
        StoreError: if they are damaged.
    """
    found: dict[str, float] | None = _record(store, ("references", f"{name}.json"))
    return found


def read_failure(store: Inside, key: str) -> dict[str, Any] | None:
    """Read the last failed attempt of a trial or a timed cell; None if there is none.

    Raises:
        StoreError: if it is damaged.
    """
    found = _record(store, ("failures", f"{key}.json"))
    return None if found is None else Failure.model_validate(found).model_dump(mode="json")


def _record(store: Inside, place: tuple[str, str]) -> Any:
    found = store.json(*place)
    if found is None:
        return None
    try:
        return checked(place[0], unsealed(found))
    except ValueError as error:
        raise StoreError(sentence_of(error), where=store.path(*place), mend=_MEND) from error
