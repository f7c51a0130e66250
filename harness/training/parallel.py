"""Several fits, in processes of their own where there are cores for them."""

from __future__ import annotations

import multiprocessing
import pickle
import sys
import warnings
from multiprocessing import connection
from typing import TYPE_CHECKING

import torch

from harness.process import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess

    from harness.result import FitResult, FitSpec


def fit_each(fit: Callable[[FitSpec], FitResult], specs: Sequence[FitSpec]) -> list[FitResult]:
    """Train each spec and return the results in their order, to the bit the same either way.

    ``processes`` of the first spec says how many may train at once. A fit that its process did
    not finish, by an error or for want of memory, is done here, so that errors appear as they do
    in one process. There is one process where a fork is not safe: off Linux, on a GPU, and with
    more than one thread.

    Args:
        fit: what ``around_fit`` is given.
        specs: of the fits, each with a folder of its own.
    """
    processes = min(specs[0].processes, len(specs)) if specs else 0
    found: dict[int, FitResult] = {}
    if processes > 1 and _may_fork(specs[0]):
        found = _in_processes(fit, specs, processes)
    return [found[place] if place in found else fit(spec) for place, spec in enumerate(specs)]


def _may_fork(spec: FitSpec) -> bool:
    one_thread = torch.get_num_threads() == 1  # a pool of threads does not outlive a fork
    return sys.platform == "linux" and spec.device == "cpu" and one_thread


def _in_processes(
    fit: Callable[[FitSpec], FitResult], specs: Sequence[FitSpec], processes: int
) -> dict[int, FitResult]:
    """The results that processes of their own gave, by their place."""
    waiting = list(enumerate(specs))[::-1]
    running: dict[Connection, tuple[int, ForkProcess]] = {}
    found: dict[int, FitResult] = {}
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                place, spec = waiting.pop()
                pipe, process = _start(fit, spec)
                running[pipe] = place, process
            ready = connection.wait(list(running))
            for pipe in [pipe for pipe in running if pipe in ready]:
                place, process = running.pop(pipe)
                result = _received(pipe)
                if result is not None:
                    found[place] = result
                process.join()
    finally:
        for _, process in running.values():
            process.kill()
            process.join()
    return found


def _start(fit: Callable[[FitSpec], FitResult], spec: FitSpec) -> tuple[Connection, ForkProcess]:
    here, there = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(there, fit, spec))
    with warnings.catch_warnings():
        # Python warns of a fork beside other threads. Those here only wait, and hold no lock.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    there.close()
    return here, process


def _serve(pipe: Connection, fit: Callable[[FitSpec], FitResult], spec: FitSpec) -> None:
    """The life of a fit's process."""
    die_with_parent()
    try:
        result = fit(spec)
    except Exception:  # noqa: BLE001 - the parent meets the same error, where it can be handled
        return
    pipe.send_bytes(pickle.dumps(result))


def _received(pipe: Connection) -> FitResult | None:
    """What a fit's process gave; None if it ended without."""
    try:
        result: FitResult = pickle.loads(pipe.recv_bytes())  # noqa: S301 - of our own process
    except (EOFError, OSError):
        return None
    finally:
        pipe.close()
    return result
