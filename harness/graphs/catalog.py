"""Data sets by name or by path: found, built once, stored, described and checked."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock, Timeout

from harness.errors import DataError, HarnessError, UsageError
from harness.graphs.dataset import open_folder, save, verify
from harness.graphs.sources import SOURCES, Progress, Source, make_source, silent
from harness.graphs.sources.records import fields_seen
from harness.selection import parse_single

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.graphs.dataset import DatasetInfo, PackedGraphs

_SHOWN = 12


def resolve(text: str) -> Source:
    """Find the source that a text means: a selection, or a path whose format is detected.

    A registered name wins over a file of the same name; ``./name`` is always a path.

    Raises:
        UsageError: if it is neither a source nor a path, or a field cannot be used.
        DataError: if the path exists and no source, or more than one, reads it.
    """
    if not text.strip():
        raise UsageError("no data set is named", mend=_mend())
    try:
        selection = parse_single(text)
    except UsageError:
        selection = None
    if selection is not None and selection.name in SOURCES.names():
        return make_source(selection)
    path = Path(text).expanduser()
    try:
        exists = path.exists()
    except (OSError, ValueError):
        exists = False
    if exists:
        return detect(path)
    if selection is not None and "/" not in text:
        SOURCES.get(selection.name)
    raise UsageError(f"'{text}' is no data source and no path that exists", mend=_mend())


def detect(path: Path) -> Source:
    """Find the source that reads an existing file or folder.

    Raises:
        DataError: if none does, or more than one.
    """
    found = [source for _, kind in SOURCES if (source := kind.detect(path)) is not None]
    if len(found) == 1:
        return found[0]
    if not found:
        what = "its format is not known"
        if path.suffix == ".jsonl":
            what = f"{what}: its first line has the fields {fields_seen(path)}"
        raise DataError.at(path, what, mend=_mend())
    names = [source.name for source in found]
    raise DataError.at(
        path,
        f"it can be read as {' or as '.join(names)}",
        mend=f"say which: {names[0]}[path={path}]",
    )


def load(text: str, root: Path, progress: Progress = silent) -> PackedGraphs:
    """Open a data set, built first where it is not stored yet.

    Stored sets are folders ``root/<title>-<key>``, whose key is a hash of the input: a changed
    input is another folder. Two processes that ask at once build once. A folder takes its name
    only when it is whole, so a build that was killed leaves nothing that is believed.

    Args:
        text: a selection or a path, see ``resolve``.
        root: folder of stored data sets.
        progress: told how far a build is.

    Raises:
        UsageError: if the text means nothing.
        DataError: if the input cannot be read, or a stored set is damaged.
    """
    source = resolve(text)
    if not source.cached:
        return source.build(progress)
    folder = root / f"{source.title}-{source.key()}"
    if folder.is_dir():
        return open_folder(folder)
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError.at(root, f"cannot be made a folder: {error.strerror}") from error
    lock = FileLock(root / f".{folder.name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress(0, 0, "waiting for the process that builds it")
        lock.acquire()
    try:
        if folder.is_dir():
            return open_folder(folder)
        # Nobody else builds it: what a killed build left behind can go.
        for draft in root.glob(f".{folder.name}.*"):
            if draft.is_dir():
                shutil.rmtree(draft, ignore_errors=True)
        return save(source.build(progress), folder)
    finally:
        lock.release()


@dataclass(frozen=True)
class Summary:
    """What a data set holds.

    Attributes:
        info: its description, with notes and counts.
        graphs: number of graphs.
        positive_share: share of vulnerable ones.
        groups: number of groups.
        nodes_p50: median number of nodes.
        nodes_p95: 95th percentile of the number of nodes.
        edges_per_node: stored edges over nodes.
        bytes_per_graph: of all arrays.
        tags: for each tag, graphs per name, most first.
    """

    info: DatasetInfo
    graphs: int
    positive_share: float
    groups: int
    nodes_p50: float
    nodes_p95: float
    edges_per_node: float
    bytes_per_graph: float
    tags: dict[str, dict[str, int]]


def summarise(graphs: PackedGraphs) -> Summary:
    """Sum a data set up."""
    p50, p95 = np.percentile(graphs.num_nodes, [50, 95])
    arrays = [*vars(graphs).values(), *graphs.tags.values()]
    size = sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))
    return Summary(
        info=graphs.info,
        graphs=len(graphs),
        positive_share=float(np.mean(graphs.label == 1)),
        groups=len(np.unique(graphs.group)),
        nodes_p50=float(p50),
        nodes_p95=float(p95),
        edges_per_node=len(graphs.edge_source) / len(graphs.node_type),
        bytes_per_graph=size / len(graphs),
        tags={name: _per_name(graphs, name) for name in graphs.tags},
    )


def describe(graphs: PackedGraphs) -> Iterator[str]:
    """Say what a data set holds, line by line: what it is, its sizes, what was left out and why."""
    summary = summarise(graphs)
    yield f"{summary.info.name}: {summary.info.source}"
    yield from summary.info.notes
    yield f"content {graphs.content}"
    yield f"{summary.graphs} graphs in {summary.groups} groups"
    yield f"{summary.positive_share:.1%} vulnerable"
    yield f"nodes: median {summary.nodes_p50:.0f}, 95 % have at most {summary.nodes_p95:.0f}"
    yield f"{summary.edges_per_node:.2f} edges a node, {summary.bytes_per_graph:.0f} bytes a graph"
    yield from (f"{number:>9} {reason}" for reason, number in summary.info.counts.items())
    for tag, names in summary.tags.items():
        shown = [f"{name or '-'} {number}" for name, number in list(names.items())[:_SHOWN]]
        more = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        yield f"{tag}: {', '.join(shown)}{more}"
    yield ", ".join(f"{name} {version}" for name, version in summary.info.versions.items())


def check(graphs: PackedGraphs) -> Path:
    """Read every stored byte of a data set; gives the folder that is sound.

    Raises:
        DataError: if a byte is not what was written, or nothing is stored.
    """
    if graphs.folder is None:
        raise DataError(f"{graphs.info.source} is in memory alone")
    verify(graphs, graphs.folder)
    return graphs.folder


@dataclass(frozen=True)
class Stored:
    """A folder of stored graphs.

    Attributes:
        folder: where it is.
        info: its description, None where it is damaged.
        graphs: number of graphs, 0 where it is damaged.
        size: bytes on disk.
        damage: what is wrong with it, "" where nothing is.
    """

    folder: Path
    info: DatasetInfo | None
    graphs: int
    size: int
    damage: str


def stored(root: Path) -> list[Stored]:
    """All data sets below a root folder, sorted by name; the arrays are not read."""
    folders = sorted(root.iterdir()) if root.is_dir() else []
    return [
        _stored(folder) for folder in folders if folder.is_dir() and not folder.name.startswith(".")
    ]


def _stored(folder: Path) -> Stored:
    size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    try:
        graphs = open_folder(folder)
    except HarnessError as error:
        return Stored(folder, None, 0, size, str(error))
    return Stored(folder, graphs.info, len(graphs), size, "")


def _per_name(graphs: PackedGraphs, tag: str) -> dict[str, int]:
    names = graphs.info.tags[tag]
    times = np.bincount(graphs.tags[tag], minlength=len(names)).tolist()
    return dict(sorted(zip(names, times, strict=True), key=lambda item: (-item[1], item[0])))


def _mend() -> str:
    return f"give a path, or one of: {', '.join(SOURCES.names())} (see: ablate data list)"
