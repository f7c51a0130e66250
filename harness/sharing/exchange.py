"""A plan's results below a URL: what others found comes in, what is found here goes out.

::

    plans/<hardware>.json        the last plan of each kind of hardware, for reports and merges
    trials/<key>.zip             finished trials
    blocks/, failures/, references/<name>.json
    work/<key>.zip               checkpoints of trials that were interrupted
    claims/<key>.json            who trains what now
    index/<machine>.txt          keys of finished trials

Nothing that comes in is believed beyond what can be recomputed: ``harness.matrix.received``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.errors import StoreError
from harness.files import MAX_JSON_BYTES, write_json, write_whole
from harness.matrix.chosen import (
    FAILURES,
    PARTS,
    best_record,
    record_bytes,
    record_names,
    stored_record,
)
from harness.matrix.inside import Inside
from harness.matrix.planned import PLAN_FILE
from harness.matrix.received import read_trial
from harness.sharing.bundle import MOST_BYTES, pack, pack_work, unpack
from harness.sharing.index import ENDING, TRIALS, Index
from harness.sharing.objects import whole
from harness.training.checkpoint import LAST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from harness.matrix.planned import Plan
    from harness.matrix.received import Truth
    from harness.matrix.spec import TrialSpec
    from harness.matrix.store import Store
    from harness.sharing.objects import Objects, TooLargeError

PLANS: Final = "plans"
WORK: Final = "work"


class Exchange:
    """Brings a store and the objects below a URL together.

    Args:
        objects: where several machines keep results.
        store: this machine's.
        plan: whose results are exchanged; those of other plans are left alone.
        truth: what the data say of a trial's gate part.
    """

    def __init__(
        self, objects: Objects, store: Store, plan: Plan, truth: Callable[[TrialSpec], Truth]
    ) -> None:
        self.objects, self.store, self.plan, self._truth = objects, store, plan, truth
        self.refused: dict[str, str] = {}
        """What is wrong with bundles that were not believed, by key; our own run replaces them."""
        self.index = Index(objects)
        self._sent: dict[tuple[str, str], bytes] = {}

    # Trials --------------------------------------------------------------------------------

    def pull_trials(self, *, all_of_them: bool = False) -> list[str]:
        """Take over finished trials of the plan that the store lacks, and name them.

        Args:
            all_of_them: whether those count too that no machine has written into the index.

        Raises:
            StoreError: if the objects cannot be reached.
            OSError: if the disk is full.
        """
        if all_of_them:
            self.index.rebuild()
        self.index.look()
        wanted = [
            key
            for key in self.plan.trials
            if key in self.index.keys and key not in self.refused and not self.store.finished(key)
        ]
        found = self.objects.each(((TRIALS, key + ENDING) for key in wanted), MOST_BYTES)
        keys = ((name.removesuffix(ENDING), content) for (_, name), content in found)
        return [key for key, content in keys if self.take_over(key, content)]

    def take_over(self, key: str, content: bytes | TooLargeError) -> bool:
        """Store a trial's bundle if it is what it claims to be, and say whether it was.

        Args:
            key: of the trial.
            content: the bundle, or why there is none to look into.

        Raises:
            OSError: if the disk is full.
        """
        where = self.objects.address(TRIALS, key + ENDING)
        try:
            files = checked_trial(self.plan.trials[key], self._truth, whole(content), where)
        except StoreError as error:
            self.refused[key] = str(error)
            return False
        self.store.receive(key, files)
        return True

    def push_trials(self) -> None:
        """Give away the finished trials of the plan that are not there.

        Raises:
            StoreError: if the objects cannot be reached.
        """
        for key in self.plan.trials:
            if self.store.finished(key):
                self.push_trial(key)

    def push_trial(self, key: str) -> None:
        """Give a finished trial away, unless another run of it is there.

        Raises:
            StoreError: if it cannot be written.
        """
        if key in self.index.keys and key not in self.refused:
            return
        self.objects.put(pack(self.store.trial(key)), TRIALS, key + ENDING)
        self.index.add(key)
        self.refused.pop(key, None)
        self.drop_work(key)

    # Records -------------------------------------------------------------------------------

    def pull_records(self) -> None:
        """Take over the plan's blocks, failures and references where those there are better.

        Raises:
            StoreError: if the objects cannot be reached.
            OSError: if the disk is full.
        """
        with tempfile.TemporaryDirectory(prefix="gnn-ablation-share-") as scratch:
            places = record_places(self.objects, self.plan)
            for (part, file), content in self.objects.each(places, MAX_JSON_BYTES):
                name = file.removesuffix(".json")
                if part == FAILURES and self.store.finished(name):
                    continue
                self._take_record(Path(scratch), part, name, content)

    def _take_record(
        self, scratch: Path, part: str, name: str, content: bytes | TooLargeError
    ) -> None:
        ours = Inside(self.store.root)
        stores = [Inside(scratch), *([ours] if self.store.root.is_dir() else [])]
        try:
            self._sent[part, name] = whole(content)
            write_whole(scratch / part / f"{name}.json", self._sent[part, name])
            best = best_record(stores, self.plan, part, name)
        except StoreError as error:
            # Our copy is gone when somebody reads this; the object is there.
            where = (error.where or "").replace(str(scratch), self.objects.url)
            told = StoreError(error.what, where=where, mend=error.mend)
            self.refused[f"{part}/{name}"] = str(told)
            return
        stored = stored_record(part, best)
        if not self.store.root.is_dir() or ours.read(part, f"{name}.json") != record_bytes(stored):
            write_json(self.store.root / part / f"{name}.json", stored)

    def push_records(self) -> None:
        """Give away the plan's records that the store has.

        Raises:
            StoreError: if they cannot be written.
        """
        for part, name in record_names(self.plan):
            self.push_record(part, name)

    def push_record(self, part: str, name: str) -> None:
        """Give away one record, if the store has it and it is new there.

        Raises:
            StoreError: if it cannot be written.
        """
        content = Inside(self.store.root).read(part, f"{name}.json")
        if content is not None and content != self._sent.get((part, name)):
            self.objects.put(content, part, f"{name}.json")
            self._sent[part, name] = content

    def push_plan(self, kind: str) -> None:
        """Give away the plan, as that of a kind of hardware.

        Raises:
            StoreError: if it cannot be written.
        """
        content = (self.store.root / PLAN_FILE).read_bytes()
        self.objects.put(content, PLANS, f"{kind}.json")

    def push_files(self, names: Sequence[str]) -> None:
        """Give away files of the store's own folder, such as the report.

        Raises:
            StoreError: if they cannot be written.
        """
        for name in names:
            path = self.store.root / name
            if path.is_file():
                self.objects.put(path.read_bytes(), name)

    # Work in progress ----------------------------------------------------------------------

    def pull_work(self, key: str) -> bool:
        """Take over the checkpoints of an interrupted trial, unless there are some here.

        Raises:
            StoreError: if the objects cannot be reached.
            OSError: if the disk is full.
        """
        work = self.store.work(key)
        if (work / LAST).exists():
            return False
        (content,) = self.objects.get_all([(WORK, key + ENDING)], MOST_BYTES)
        if content is None:
            return False
        try:
            unpack(whole(content), work, self.objects.address(WORK, key + ENDING))
        except StoreError as error:
            self.refused[f"{WORK}/{key}"] = str(error)
            return False
        return True

    def push_work(self, keys: Iterable[str]) -> None:
        """Give away the checkpoints of trials, so that another machine can go on.

        Raises:
            StoreError: if they cannot be written.
        """
        for key in keys:
            content = pack_work(self.store.work(key))
            if content is not None:
                self.objects.put(content, WORK, key + ENDING)

    def drop_work(self, key: str) -> None:
        """Remove the checkpoints of a trial that is done, or whose checkpoints are damaged.

        Raises:
            StoreError: if they cannot be removed.
        """
        self.objects.delete(WORK, key + ENDING)


def record_places(objects: Objects, plan: Plan) -> list[tuple[str, str]]:
    """Folder and name of the objects there are of a plan's records.

    Raises:
        StoreError: if they cannot be listed.
    """
    there = {part: objects.versions(part) for part in PARTS}
    places = [(part, f"{name}.json") for part, name in record_names(plan)]
    return [(part, file) for part, file in places if file in there[part]]


def checked_trial(
    spec: TrialSpec, truth: Callable[[TrialSpec], Truth], content: bytes, where: str
) -> dict[tuple[str, ...], bytes]:
    """The files of a trial's bundle, if they are what they claim to be.

    Args:
        spec: the trial.
        truth: what the data say of its gate part.
        content: the bundle.
        where: its address, for messages.

    Raises:
        StoreError: if it is damaged, another trial's, or does not say what its predictions say.
    """
    with tempfile.TemporaryDirectory(prefix="gnn-ablation-share-") as scratch:
        unpack(content, Path(scratch) / TRIALS / spec.key, where)
        try:
            files = read_trial(Inside(Path(scratch)), spec, truth(spec))
        except StoreError as error:
            raise StoreError(error.what, where=where, mend=error.mend) from error
    if files is None:
        raise StoreError("holds no finished trial", where=where)
    return files
