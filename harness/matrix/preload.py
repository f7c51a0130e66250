"""What the fork server imports: all that a trial needs, loaded and run once.

Importing this module trains each built-in model on a handful of graphs, on purpose: compiled
loops, layer templates and the optimizer are then there in every process that is forked off, which
saves a trial half a second; registered features are there too. The fork server offers no other
moment for it.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import torch

import harness.matrix.timing
import harness.matrix.worker  # noqa: F401 - the entry points of the forked processes
from harness.errors import HarnessError
from harness.feature import FEATURES
from harness.graphs.dataset import save
from harness.graphs.splits import split_by_seed
from harness.models import MODELS
from harness.process import use_threads
from harness.result import FitSpec
from harness.selection import Selection
from harness.settings import TrainingSettings
from harness.testing.data import planted_graphs
from harness.training.fit import fit

if TYPE_CHECKING:
    from types import TracebackType

_GRAPHS = 64


def say_nothing_of_a_lost_driver(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Report what a forked process raised before it ran, unless its driver died meanwhile.

    A driver that is killed before it has sent a process what to do leaves it with nothing; Python
    would show the user a traceback of that, from a process of which nobody waits for the end.
    """
    if not issubclass(kind, EOFError):
        sys.__excepthook__(kind, error, trace)


def rehearse() -> None:
    """Train the built-in models for an epoch on planted data, stored as real data is."""
    with tempfile.TemporaryDirectory(prefix="gnn-ablation-preload-") as folder:
        graphs = save(planted_graphs(_GRAPHS), Path(folder) / "data")
        split = split_by_seed(graphs.label, graphs.group, 0)
        settings = TrainingSettings(epochs=1)
        for name, entry in MODELS:
            if entry.make.__module__.startswith("harness.models."):
                fit(FitSpec(graphs, split, Selection(name), settings=settings))


sys.excepthook = say_nothing_of_a_lost_driver
with suppress(HarnessError):  # a package that cannot be loaded is each trial's own to tell
    FEATURES.load()
# With a GPU, autograd starts threads, and a process that has some must not be forked. Nor must one
# that has asked CUDA itself: device_count() asks the driver's management library, and
# is_available() would leave every forked process without CUDA.
if not torch.cuda.device_count():
    use_threads(1)
    rehearse()
