"""Seeds and splits of a search, apart from those of every gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.errors import UsageError
from harness.graphs.splits import Split, split_by_seed
from harness.matrix.plan import FIRST_SEARCH_SEED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.graphs.dataset import PackedGraphs

MOST_REPEATS = 100
_RUNS = 1_000_000


def search_seeds(seed: int, repeats: int) -> tuple[int, ...]:
    """Seeds of the training runs of each trial, the same for all trials of a search.

    Args:
        seed: of the run that the search is for; another one has other seeds.
        repeats: how many.
    """
    if not 1 <= repeats <= MOST_REPEATS:
        raise UsageError(f"repeats are 1 to {MOST_REPEATS}, not {repeats}")
    first = FIRST_SEARCH_SEED + seed % _RUNS * MOST_REPEATS
    return tuple(range(first, first + repeats))


def search_split(graphs: PackedGraphs, seed: int, within: NDArray[np.int64] | None = None) -> Split:
    """A split for searching: *train* and *select* alone; *gate* is *select* once more.

    A fit reads its gate part; that a search's own is not another part keeps every graph that a
    gate may read out of it.

    Args:
        graphs: the data set.
        seed: of a search, never of a gate.
        within: places ``[m]`` of the graphs that may be used; a part of them is *select*, all
            others are trained on. None takes the protocol's own train and select parts.

    Raises:
        UsageError: if the seed is one that a gate could use.
        DataError: if the data cannot be split.
    """
    if seed < FIRST_SEARCH_SEED:
        raise UsageError(
            f"seed {seed} may be a gate's: seeds of a search are {FIRST_SEARCH_SEED} and above",
            mend="take seeds from harness.tuning.seeds.search_seeds",
        )
    if within is None:
        split = split_by_seed(graphs.label, graphs.group, seed)
        return Split(split.train, split.select, split.select)
    split = split_by_seed(graphs.label[within], graphs.group[within], seed)
    train = np.sort(within[np.concatenate([split.train, split.gate])])
    select = np.sort(within[split.select])
    return Split(train, select, select)
