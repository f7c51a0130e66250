"""Splits by seed: train 60 / select 20 / gate 20, stratified by label and grouped.

Seed k fixes split k, and both arms of a pair share it. *select* chooses epoch and threshold;
*gate* is read once, for the verdict. A new split per seed is what makes the standard error true:
on one fixed split the error over seeds alone is half of the real one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import DataError
from harness.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.graphs.dataset import PackedGraphs

PROTOCOL = "stratified-group-60-20-20/1"
_FOLDS = 5


@dataclass(frozen=True)
class Split:
    """Places of the graphs of each part, ascending; the parts are disjoint.

    Attributes:
        train: ``[G_train]`` int64.
        select: ``[G_select]`` int64.
        gate: ``[G_gate]`` int64.
    """

    train: NDArray[np.int64]
    select: NDArray[np.int64]
    gate: NDArray[np.int64]


def split_by_seed(label: NDArray[np.integer], group: NDArray[np.integer], seed: int) -> Split:
    """Split ``[G]`` graphs by the protocol; the same seed gives the same split everywhere.

    Raises:
        DataError: if a part would lack a class, for want of graphs or of groups.
    """
    groups_with = [len(np.unique(group[label == value])) for value in (0, 1)]
    if min(groups_with) < _FOLDS:
        raise DataError(
            f"{groups_with[1]} groups hold vulnerable graphs and {groups_with[0]} hold safe ones; "
            f"a split needs at least {_FOLDS} of each",
            mend="use more data, or a finer group column",
        )
    from harness.graphs.folds import stratified_group_folds  # noqa: PLC0415 - loads a compiler

    fold = stratified_group_folds(label, group, _FOLDS, seed)
    split = Split(*(np.flatnonzero(part) for part in (fold >= 2, fold == 1, fold == 0)))  # noqa: PLR2004 - three of five
    for name, part in vars(split).items():
        if len(np.unique(label[part])) < 2:  # noqa: PLR2004 - two classes
            raise DataError(
                f"the {name} part of split {seed} holds one class only",
                mend="use more data, or a finer group column",
            )
    return split


def stored_split(graphs: PackedGraphs, seed: int, folder: Path) -> Split:
    """The split of a data set by seed, kept in a folder: large ones take seconds to draw.

    A stored file that is damaged is replaced.

    Raises:
        DataError: if the data cannot be split.
        OSError: if the folder cannot be written.
    """
    path = folder / f"split-{graphs.content[:32]}-{seed}"
    part = _read_parts(path, len(graphs))
    if part is None:
        split = split_by_seed(graphs.label, graphs.group, seed)
        part = np.zeros(len(graphs), np.uint8)
        part[split.select], part[split.gate] = 1, 2
        content = part.tobytes()
        write_whole(path, hashlib.sha256(content).digest() + content)
    train, select, gate = (np.flatnonzero(part == number) for number in range(3))
    return Split(train, select, gate)


def _read_parts(path: Path, graphs: int) -> NDArray[np.uint8] | None:
    """The part of each graph; None if there is no such file or it is damaged."""
    size = hashlib.sha256().digest_size
    try:
        if path.stat().st_size != size + graphs:
            return None
        stored = path.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(stored[size:]).digest() != stored[:size]:
        return None
    return np.frombuffer(stored, np.uint8, offset=size)
