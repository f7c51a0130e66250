"""``ablate merge``: one store out of the stores of several machines.

What each part of a store becomes:

- Trials of the plan are copied whole, with the hardware and versions that they ran on. A trial
  that two stores ran is taken from one of them: the one whose files have the smaller SHA-256,
  which is a choice that knows nothing of how the runs came out. Trials of other plans stay where
  they are.
- Timed blocks of a cell are taken from one store, the one with most of them. Blocks of two series
  are never strung together, since each series stopped by its own rule.
- A failure is kept where no store has the result.
- Reference figures are copied.
- Caches, among them learning rates, and work in progress are left: they save time alone, nothing
  in them can be checked, and a run finds them again.

Choices depend on the content alone, so that the order of the stores does not matter, and merging
once more changes nothing. The plan is written last: a merge that was interrupted is given again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from harness.errors import StoreError, UsageError
from harness.files import write_json
from harness.graphs.sources import silent
from harness.matrix.chosen import (
    BLOCKS,
    FAILURES,
    best_record,
    record_bytes,
    record_names,
    stored_record,
)
from harness.matrix.code_here import foreign_code
from harness.matrix.here import DataHere, find_data
from harness.matrix.inside import Inside
from harness.matrix.join import join_plans
from harness.matrix.planned import PLAN_FILE
from harness.matrix.received import read_plan, read_trial
from harness.matrix.store import RESULT, Store
from harness.seal import sealed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from harness.graphs.sources import Progress
    from harness.matrix.planned import Plan
    from harness.matrix.spec import TrialSpec

T = TypeVar("T")


@dataclass(frozen=True)
class Merged:
    """What a merge did.

    Attributes:
        plan: the joint plan.
        trials: finished trials in the merged store.
        added: of them, trials that were not in it before.
        twice: trials that several stores ran with one outcome.
        differing: keys of trials that several stores ran with different outcomes.
        blocks: cells with timed blocks.
        left: trials of other plans, which were left where they are.
        foreign: names of the code of the trials that is not this machine's.
    """

    plan: Plan
    trials: int
    added: int
    twice: int
    differing: tuple[str, ...]
    blocks: int
    left: int
    foreign: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Kinds of hardware that the verdict needs and no machine planned to run."""
        cells = [cell for feature in self.plan.features for cell in feature.cells]
        here = {cell.hardware for cell in cells if cell.here}
        return tuple(kind for kind in self.plan.hardware if kind not in here)


def merge(
    folders: Sequence[Path], out: Path, data_root: Path, progress: Progress = silent
) -> Merged:
    """Merge stores into one, checking everything that is read before anything is written.

    Args:
        folders: of the stores.
        out: folder of the merged store; one that was merged before is added to.
        data_root: where packed data sets of this machine are.
        progress: told of each of the plan's trials that was looked for, and of each that is merged.

    Raises:
        UsageError: if ``out`` is one machine's own store, or a folder holds none.
        StoreError: if stores do not fit each other, or one is not what it claims to be.
        DataError: if a data set of the plan is not on this machine.
        OSError: if the merged store cannot be written.
    """
    stores = _stores(folders, out)
    plans = [(store, read_plan(store)) for store in stores]
    known = [(str(store.root), plan) for store, plan in plans if plan is not None]
    _check_folders(plans, out)
    data = find_data(known, data_root)
    joint = join_plans(known, data.folders)
    foreign = foreign_code(joint, known[0][0])
    # Whatever is wrong in any of the stores is found before the first byte is written.
    runs = {}
    for key, spec in _watched(joint.trials.items(), progress, "trials looked for"):
        runs[key] = _runs_of_trial(stores, spec, data)
    records = {name: best_record(stores, joint, *name) for name in record_names(joint)}

    twice, differing, added, trials = 0, [], 0, 0
    done = {key: found for key, found in runs.items() if found}
    for key, found in _watched(done.items(), progress, "trials merged"):
        trials += 1
        if len({run.outcome for run in found}) > 1:
            differing.append(key)
        elif sum(run.store.root != out for run in found) > 1:
            twice += 1
        digest = min(run.digest for run in found)
        holders = {run.store.root: run for run in found if run.digest == digest}
        added += all(run.store.root != out for run in found)
        if out not in holders:
            _copy_trial(next(iter(holders.values())), joint.trials[key], data, out)
        records.pop((FAILURES, key), None)
        (out / "failures" / f"{key}.json").unlink(missing_ok=True)
    for (part, name), value in records.items():
        stored = None if value is None else stored_record(part, value)
        if stored is not None and Inside(out).read(part, f"{name}.json") != record_bytes(stored):
            write_json(out / part / f"{name}.json", stored)
    write_json(out / PLAN_FILE, sealed(joint.model_dump(mode="json")))
    return Merged(
        plan=joint,
        trials=trials,
        added=added,
        twice=twice,
        differing=tuple(differing),
        blocks=sum(
            part == BLOCKS and value is not None for (part, _), value in records.items()
        ),
        left=sum(
            name not in joint.trials
            for store in stores
            if store.root != out
            for name in store.names("trials")
        ),
        foreign=foreign,
    )  # fmt: skip


def _watched(
    items: Collection[tuple[str, T]], progress: Progress, what: str
) -> Iterator[tuple[str, T]]:
    """The items, each reported once it is done with."""
    for done, item in enumerate(items, 1):
        yield item
        progress(done, len(items), what)


def _stores(folders: Sequence[Path], out: Path) -> list[Inside]:
    if not folders:
        raise UsageError("no store is named", mend="name some: ablate merge DIR DIR --out DIR")
    roots = list(dict.fromkeys(folder.resolve() for folder in folders))
    for root in roots:
        if not root.is_dir():
            raise UsageError("there is no such folder", where=str(root))
    # What an earlier merge left in the folder is one of the stores, and trusted no more than they.
    if out.is_dir() and out.resolve() not in roots:
        roots.append(out.resolve())
    return [Inside(out if root == out.resolve() else root) for root in roots]


def _check_folders(plans: Sequence[tuple[Inside, Plan | None]], out: Path) -> None:
    for store, plan in plans:
        if store.root != out and plan is None:
            raise UsageError(
                "there is no plan in it", where=str(store.root),
                mend="name folders that ablate run --out, or ablate merge, has written",
            )  # fmt: skip
        if store.root == out and plan is not None and not plan.sources:
            raise UsageError(
                "is one machine's own store", where=f"--out {out}",
                mend="merge into a folder of its own",
            )  # fmt: skip


@dataclass(frozen=True)
class _Run:
    """A finished trial in one of the stores, by what its files say."""

    store: Inside
    digest: str
    outcome: str


def _runs_of_trial(stores: Iterable[Inside], spec: TrialSpec, data: DataHere) -> list[_Run]:
    """Read a trial in every store that has it; of its files only the digest is kept."""
    found = []
    for store in stores:
        files = read_trial(store, spec, data.truth(spec))
        if files is not None:
            found.append(_Run(store, _digest(files), _outcome(files)))
    return found


def _digest(files: dict[tuple[str, ...], bytes]) -> str:
    whole = hashlib.sha256()
    for place in sorted(files):
        whole.update(f"{'/'.join(place)}\0{len(files[place])}\0".encode())
        whole.update(files[place])
    return whole.hexdigest()


def _outcome(files: dict[tuple[str, ...], bytes]) -> str:
    """What a trial found, its times and its place left out."""
    result = json.loads(files[RESULT,])
    return json.dumps([result["gate_digest"], result["collapse"]], sort_keys=True)


def _copy_trial(run: _Run, spec: TrialSpec, data: DataHere, out: Path) -> None:
    files = read_trial(run.store, spec, data.truth(spec))
    if files is None or _digest(files) != run.digest:
        raise StoreError(
            "was changed while it was merged", where=run.store.path("trials", spec.key),
            mend="merge again when nothing writes to that store",
        )  # fmt: skip
    Store(out).receive(spec.key, files)
