"""What a store from elsewhere holds, believed only as far as it can be recomputed.

A plan's keys are hashes of its trials, a trial's key of what it was, and its gate digest and F1 of
its predictions; all of them are computed anew. How a run ended in training, and the seconds of a
timed block, are what its machine says they are.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
import zipfile
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from harness.errors import StoreError, first_problem
from harness.gates.tables import MOST_PAIRS
from harness.matrix.planned import PLAN_FILE, Plan, timing_key
from harness.matrix.shapes import PARTS, Shape
from harness.matrix.store import (
    GATE,
    KEPT,
    MAX_GATE_BYTES,
    RESULT,
    Failure,
    GateScores,
    TrialResult,
)
from harness.metrics import Confusion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.matrix.inside import Inside
    from harness.matrix.planned import PlannedCell, PlannedFeature
    from harness.matrix.spec import TrialSpec

_MEND = "the store was damaged or changed; take it from its machine again"
_CONTENT = re.compile(r"[0-9a-f]{64}\Z")
_KEY = re.compile(r"[0-9a-f]{32}\Z")
_ROUNDING = 1e-12

_Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _VisitRecord(BaseModel):
    model_config = ConfigDict(extra="forbid")

    epochs: Annotated[
        list[Annotated[float, Field(gt=0, allow_inf_nan=False)]],
        Field(min_length=1, max_length=1000),
    ]
    cpu: _Seconds
    setup: Annotated[list[_Seconds], Field(max_length=2000)]
    finish: Annotated[list[_Seconds], Field(max_length=2000)]
    peak_bytes: Annotated[int, Field(gt=0)]


_Visits = Annotated[list[_VisitRecord], Field(min_length=2, max_length=2)]


class _BlockRecord(BaseModel):
    model_config = ConfigDict(extra="forbid")

    order: list[Literal["baseline", "candidate"]]
    baseline: _Visits
    candidate: _Visits


_BLOCKS = TypeAdapter(Annotated[list[_BlockRecord], Field(min_length=1, max_length=MOST_PAIRS)])
_FIGURES = TypeAdapter(dict[str, int | Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]])
_FAILURE = TypeAdapter(Failure)


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
        plan = Plan.model_validate(found)
    except ValidationError as error:
        field, what, _ = first_problem(error)
        raise StoreError(f"field '{field}': {what}", where=where, mend=_MEND) from error
    problem = _plan_problem(plan)
    if problem:
        raise StoreError(problem, where=where, mend=_MEND)
    return plan


def _plan_problem(plan: Plan) -> str:
    if len(set(plan.hardware)) != len(plan.hardware) or not plan.hardware:
        return "it names no hardware, or one twice"
    for content in plan.data:
        if not _CONTENT.match(content):
            return f"{content!r} is no content hash"
    for key, spec in plan.trials.items():
        if spec.key != key:
            return f"trial {key} is another one than its key says"
    return next(filter(None, (_feature_problem(plan, one) for one in plan.features)), "")


def _feature_problem(plan: Plan, feature: PlannedFeature) -> str:
    wanted = {
        (data, model, kind) for data in plan.data for model in plan.models for kind in plan.hardware
    }
    cells = [(cell.data, cell.model, cell.hardware) for cell in feature.cells]
    if set(cells) != wanted or len(cells) != len(wanted):
        return f"the cells of {feature.name} are not one for each data set, model and hardware"
    if len(feature.parts) != (PARTS if plan.shape is Shape.PAIRS else 0):
        return f"{feature.name} has {len(feature.parts)} parts, which is not the shape {plan.shape}"
    for cell in feature.cells:
        if not _cell_fits(plan, cell, feature.arms):
            return f"the trials of {feature.name} on {cell.model} are not those of their cell"
    return ""


def _cell_fits(plan: Plan, cell: PlannedCell, arms: int) -> bool:
    if not cell.here:
        return not any(cell.arms) and bool(_KEY.match(cell.timing))
    if not cell.baseline or len(cell.arms) != arms or len(set(map(len, cell.arms))) != 1:
        return False
    for keys in cell.arms:
        for seed, key in enumerate(keys):
            spec = plan.trials.get(key)
            if spec is None or (spec.seed, spec.data, spec.model, spec.hardware) != (
                seed, cell.data, cell.model, cell.hardware,
            ):  # fmt: skip
                return False
    return cell.timing == timing_key(cell.baseline, cell.candidate, plan.timing)


def read_trial(store: Inside, spec: TrialSpec, graphs: int) -> dict[tuple[str, ...], bytes] | None:
    """Read the files of a finished trial; None if it is not finished.

    Args:
        store: the store.
        spec: the trial.
        graphs: number of graphs of its data set.

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
        result = TrialResult.model_validate(store.parsed(content, *folder, RESULT))
    except ValidationError as error:
        field, what, _ = first_problem(error)
        raise StoreError(f"field '{field}': {what}", where=where, mend=_MEND) from error
    problem = _result_problem(result, spec)
    if problem:
        raise StoreError(problem, where=where, mend=_MEND)
    files: dict[tuple[str, ...], bytes] = {(RESULT,): content}
    gate = _read_gate(store, result, graphs)
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


def _read_gate(store: Inside, result: TrialResult, graphs: int) -> bytes | None:
    if result.gate_digest is None:
        return None
    place = ("trials", result.spec.key, GATE)
    content = store.read(*place, most=MAX_GATE_BYTES)
    if content is None:
        raise StoreError("is missing", where=store.path(*place), mend=_MEND)
    try:
        _check_gate(content, result, graphs)
    except (ValueError, zipfile.BadZipFile, MemoryError) as error:
        raise StoreError(
            f"cannot be used: {error}", where=store.path(*place), mend=_MEND
        ) from error
    return content


def _check_gate(content: bytes, result: TrialResult, graphs: int) -> None:
    if hashlib.sha256(content).hexdigest() != result.gate_digest:
        raise ValueError("not the file that the trial wrote")
    with zipfile.ZipFile(io.BytesIO(content)) as members:
        # What is stored as it is cannot unfold to more than it is.
        if any(one.compress_type != zipfile.ZIP_STORED for one in members.infolist()):
            raise ValueError("it is compressed, and no trial writes that")
    scores = GateScores.from_bytes(content)
    _check_scores(scores, graphs)
    f1 = Confusion.of(scores.label, scores.predicted).f1
    if result.f1 is None or not math.isclose(f1, result.f1, abs_tol=_ROUNDING):
        raise ValueError(f"its predictions have an F1 of {f1}, and the result says {result.f1}")


def _check_scores(scores: GateScores, graphs: int) -> None:
    for name, kind in (("index", "i"), ("label", "u"), ("predicted", "u"), ("probability", "f")):
        array = getattr(scores, name)
        if array.ndim != 1 or array.dtype.kind != kind:
            raise ValueError(f"{name} is {array.dtype} with {array.ndim} axes")
    index = scores.index
    if not len(index) or len(np.unique(index)) != len(index):
        raise ValueError("it is empty, or a graph appears twice")
    if index.min() < 0 or index.max() >= graphs:
        raise ValueError(f"names a graph outside of the {graphs} of its data set")
    if max(scores.label.max(), scores.predicted.max()) > 1:
        raise ValueError("a label is neither 0 nor 1")


def read_blocks(store: Inside, key: str) -> list[dict[str, Any]] | None:
    """Read the timed blocks of a cell; None if there are none.

    Raises:
        StoreError: if they are damaged.
    """
    found: list[dict[str, Any]] | None = _record(store, _BLOCKS, ("blocks", f"{key}.json"))
    return found


def read_figures(store: Inside, name: str) -> dict[str, float] | None:
    """Read the reference figures of a split; None if there are none.

    Raises:
        StoreError: if they are damaged.
    """
    found: dict[str, float] | None = _record(store, _FIGURES, ("references", f"{name}.json"))
    return found


def read_failure(store: Inside, key: str) -> dict[str, Any] | None:
    """Read the last failed attempt of a trial or a timed cell; None if there is none.

    Raises:
        StoreError: if it is damaged.
    """
    found: dict[str, Any] | None = _record(store, _FAILURE, ("failures", f"{key}.json"))
    return found


def _record(store: Inside, kind: TypeAdapter[Any], place: Sequence[str]) -> Any:
    found = store.json(*place)
    if found is None:
        return None
    try:
        return kind.dump_python(kind.validate_python(found), mode="json")
    except ValidationError as error:
        field, what, _ = first_problem(error)
        raise StoreError(
            f"field '{field}': {what}", where=store.path(*place), mend=_MEND
        ) from error
