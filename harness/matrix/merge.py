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
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import DataError, HarnessError, StoreError, UsageError
from harness.files import folder_written_whole, write_json, write_whole
from harness.graphs import catalog
from harness.graphs.dataset import open_folder
from harness.matrix.inside import Inside
from harness.matrix.join import join_plans
from harness.matrix.planned import PLAN_FILE
from harness.matrix.received import (
    read_blocks,
    read_failure,
    read_figures,
    read_plan,
    read_trial,
)
from harness.matrix.references import PART, name_of
from harness.matrix.store import RESULT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.matrix.planned import Plan


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
    """

    plan: Plan
    trials: int
    added: int
    twice: int
    differing: tuple[str, ...]
    blocks: int
    left: int

    @property
    def missing(self) -> tuple[str, ...]:
        """Kinds of hardware that the verdict needs and no machine planned to run."""
        cells = [cell for feature in self.plan.features for cell in feature.cells]
        here = {cell.hardware for cell in cells if cell.here}
        return tuple(kind for kind in self.plan.hardware if kind not in here)


def merge(folders: Sequence[Path], out: Path, data_root: Path) -> Merged:
    """Merge stores into one, checking everything that is read before anything is written.

    Args:
        folders: of the stores.
        out: folder of the merged store; one that was merged before is added to.
        data_root: where packed data sets of this machine are.

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
    joint = join_plans(known, _data_folders([plan for _, plan in known], data_root))
    # Whatever is wrong in any of the stores is found before the first byte is written.
    runs = {key: _runs_of_trial(stores, joint, key) for key in joint.trials}
    records = {name: _chosen(stores, *name) for name in _records(joint)}

    twice, differing, added, trials = 0, [], 0, 0
    for key, found in runs.items():
        if not found:
            continue
        trials += 1
        if len({run.outcome for run in found}) > 1:
            differing.append(key)
        elif len(found) > 1:
            twice += 1
        digest = min(run.digest for run in found)
        holders = {run.store.root: run for run in found if run.digest == digest}
        added += all(run.store.root != out for run in found)
        if out not in holders:
            _copy_trial(next(iter(holders.values())), joint, key, out)
        records.pop(("failures", key), None)
        (out / "failures" / f"{key}.json").unlink(missing_ok=True)
    for (part, name), value in records.items():
        if value is not None and Inside(out).read(part, f"{name}.json") != _written(value):
            write_json(out / part / f"{name}.json", value)
    write_json(out / PLAN_FILE, joint.model_dump(mode="json"))
    return Merged(
        plan=joint,
        trials=trials,
        added=added,
        twice=twice,
        differing=tuple(differing),
        blocks=sum(
            part == "blocks" and value is not None for (part, _), value in records.items()
        ),
        left=sum(
            name not in joint.trials
            for store in stores
            if store.root != out
            for name in store.names("trials")
        ),
    )  # fmt: skip


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


def _data_folders(plans: Sequence[Plan], data_root: Path) -> dict[str, str]:
    """Find the plans' data sets on this machine, every byte checked."""
    at_home = catalog.stored(data_root)
    found = {}
    for content in dict.fromkeys(content for plan in plans for content in plan.data):
        named = {Path(plan.data[content].folder) for plan in plans if content in plan.data}
        named |= {
            one.folder.resolve()
            for one in at_home
            if one.info is not None and one.info.content == content
        }
        sound = [folder for folder in sorted(named) if _holds(folder, content)]
        if not sound:
            source = next(plan.data[content] for plan in plans if content in plan.data)
            raise DataError(
                f"the data set {source.name} ({content[:12]}) is not on this machine",
                where=str(data_root),
                mend=f"build it first: ablate data build {source.source}; or give --data-root",
            )
        found[content] = str(sound[0])
    return found


def _holds(folder: Path, content: str) -> bool:
    if not folder.is_dir():
        return False
    try:
        graphs = open_folder(folder)
        if graphs.info.content != content:
            return False
        catalog.check(graphs)
    except (HarnessError, OSError):
        return False
    return True


@dataclass(frozen=True)
class _Run:
    """A finished trial in one of the stores, by what its files say."""

    store: Inside
    digest: str
    outcome: str


def _runs_of_trial(stores: Iterable[Inside], plan: Plan, key: str) -> list[_Run]:
    """Read a trial in every store that has it; of its files only the digest is kept."""
    found = []
    for store in stores:
        files = _read(store, plan, key)
        if files is not None:
            found.append(_Run(store, _digest(files), _outcome(files)))
    return found


def _read(store: Inside, plan: Plan, key: str) -> dict[tuple[str, ...], bytes] | None:
    spec = plan.trials[key]
    return read_trial(store, spec, plan.data[spec.data].graphs)


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


def _copy_trial(run: _Run, plan: Plan, key: str, out: Path) -> None:
    files = _read(run.store, plan, key)
    if files is None or _digest(files) != run.digest:
        raise StoreError(
            "was changed while it was merged", where=run.store.path("trials", key),
            mend="merge again when nothing writes to that store",
        )  # fmt: skip
    folder = out / "trials" / key
    # A folder that is there is another run of the same trial, or what a link left behind.
    shutil.rmtree(folder, ignore_errors=True)
    with folder_written_whole(folder) as draft:
        for place, content in files.items():
            write_whole(draft.joinpath(*place), content)


def _records(plan: Plan) -> list[tuple[str, str]]:
    """Part and name of every JSON record that the plan may have."""
    cells = [cell for feature in plan.features for cell in feature.cells if cell.here]
    timings = list(dict.fromkeys(cell.timing for cell in cells))
    splits = {name_of(spec.data, spec.seed) for spec in plan.trials.values()}
    return [
        *(("blocks", key) for key in timings),
        *(("failures", key) for key in (*plan.trials, *timings)),
        *((PART, name) for name in sorted(splits)),
    ]


def _chosen(stores: Iterable[Inside], part: str, name: str) -> Any:
    """The record to keep: the longest, or of most attempts, and of those the smallest digest."""
    read = {"blocks": read_blocks, "failures": read_failure, PART: read_figures}[part]
    found = [value for store in stores if (value := read(store, name)) is not None]
    if not found:
        return None

    def rank(value: Any) -> tuple[int, str]:
        length = 0
        if part == "blocks":
            length = len(value)
        elif part == "failures":
            length = value["attempts"]
        return -length, hashlib.sha256(_written(value)).hexdigest()

    return min(found, key=rank)


def _written(value: Any) -> bytes:
    """The bytes of a record as ``write_json`` writes them."""
    return (json.dumps(value, indent=1) + "\n").encode()
