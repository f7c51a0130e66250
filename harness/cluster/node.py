"""What runs on a node: a trial as anywhere else, in a process of its own and a store of its own.

The Ray task around it trains nothing. It fetches what the node lacks, hands checkpoints back while
the trial runs, and the finished trial as one bundle. Nothing stays on the node but the data.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import ray

from harness.cluster.orders import News
from harness.errors import DataError, HarnessError
from harness.files import folder_written_whole, write_whole
from harness.graphs.dataset import check_content, open_folder
from harness.hardware import describe
from harness.matrix import locks
from harness.matrix.local import LocalExecutor
from harness.matrix.records import Failure
from harness.matrix.spec import TrialSpec
from harness.matrix.store import Store
from harness.sharing.bundle import pack, pack_work, unpack
from harness.training.checkpoint import LAST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.cluster.orders import Parcel, TrialOrder

SAFE: Final = 60.0
"""Seconds between two checkpoints that are handed back: what a lost node costs."""

_LOOK: Final = 1.0


def look_at(threads: int) -> str:
    """The kind of CPU of a node."""
    return describe("cpu", threads).kind


def run_trial(order: TrialOrder, safe: float = SAFE) -> Iterator[News]:
    """Train a trial, and tell of it; the last news is how it ended.

    Args:
        order: the trial.
        safe: seconds between two checkpoints.
    """
    spec = TrialSpec.model_validate_json(order.spec)
    yield News("running")  # the driver knows by it that the trial waits no more
    with tempfile.TemporaryDirectory(prefix="gnn-ablation-node-") as folder:
        scratch = Path(folder)
        store = Store(scratch / "store")
        try:
            data, plugins = open_parcel(order.parcel, scratch)
            if order.checkpoint is not None:
                unpack(ray.get(order.checkpoint), store.work(spec.key), "the trial's checkpoint")
        except (HarnessError, OSError) as error:
            yield News("error", failure=_failure(f"{_here()}: {error}"))
            return
        executor = LocalExecutor(store, 1, order.timeout, plugins, cores=spec.threads, verify=True)
        executor.start(spec, data)
        try:
            yield from _follow(executor, store, spec.key, safe)
        finally:
            executor.stop()


def _follow(executor: LocalExecutor, store: Store, key: str, safe: float) -> Iterator[News]:
    checkpoint = store.work(key) / LAST
    sent, last = _changed(checkpoint), time.monotonic()
    while True:
        for outcome in executor.wait(_LOOK):
            if outcome.status == "finished":
                yield News("finished", pack(store.trial(key)))
                return
            failure = store.failure(key)
            said = failure.model_dump_json() if failure else _failure("left no result")
            status = (
                outcome.status if outcome.status in ("damaged", "killed", "timeout") else "error"
            )
            yield News(status, failure=said)
            return
        if time.monotonic() - last >= safe and _changed(checkpoint) != sent:
            sent, last = _changed(checkpoint), time.monotonic()
            yield News("running", pack_work(store.work(key)) or b"")


def _changed(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0


def _failure(detail: str) -> str:
    return Failure(kind="error", detail=" ".join(detail.split())).model_dump_json()


def _here() -> str:
    return f"node {socket.gethostname()}"


def open_parcel(parcel: Parcel, scratch: Path) -> tuple[Path, tuple[str, ...]]:
    """Folder of the data set on this node, and the plugins' files.

    Raises:
        DataError: if what came is not what was sent.
        OSError: if the disk is full.
    """
    plugins = []
    for name, content in parcel.plugins:
        path = scratch / "plugins" / Path(name).name
        write_whole(path, content)
        plugins.append(str(path))
    return _data(parcel), tuple(plugins)


def _data(parcel: Parcel) -> Path:
    """The packed data set: the driver's own folder where this node sees it, else a copy."""
    seen = Path(parcel.folder)
    if _holds(seen, parcel.content):
        return seen
    cache = _cache()
    copy = cache / parcel.content
    with locks.one_at_a_time(cache / f"{parcel.content}.lock"):
        if not _holds(copy, parcel.content):
            shutil.rmtree(copy, ignore_errors=True)  # damaged, if it is there at all
            with folder_written_whole(copy) as draft:
                for name, blob in parcel.files:
                    (draft / Path(name).name).write_bytes(ray.get(blob))
    return copy


def _holds(folder: Path, content: str) -> bool:
    try:
        graphs = open_folder(folder)
        check_content(graphs, folder)
    except (DataError, OSError):
        return False
    return graphs.content == content


def _cache() -> Path:
    """Where this node keeps data sets: a folder of this user's alone."""
    folder = Path(tempfile.gettempdir()) / f"gnn-ablation-{os.getuid()}-data"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise DataError.at(folder, "belongs to another user", mend="set TMPDIR on the node")
    return folder
