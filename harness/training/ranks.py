"""One fit in several processes that train together, started by torch's elastic agent."""

from __future__ import annotations

import gc
import pickle
import signal
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import torch
from torch import distributed
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from harness.errors import HarnessError, NotMeasuredError
from harness.process import die_with_parent
from harness.registry import import_plugins, imported_plugins
from harness.training.sharing import size_of_share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

    from harness.result import FitResult, FitSpec

_PATIENCE = 2.0
"""Seconds; the agent looks ten times a second."""
_TOGETHER = 30.0
"""Seconds that ranks wait for each other before they leave with an error of the run."""
_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


def fit_in_ranks(fit: Callable[[FitSpec], FitResult], spec: FitSpec, ranks: int) -> FitResult:
    """Run a fit in so many processes of one ``torch.distributed`` group, gloo or nccl.

    Each process runs ``fit`` on the same spec; how they share the work is for the arm's
    ``data_parallel`` slot to say. With one rank it runs here. In a process that torchrun started,
    the group is torchrun's.

    Args:
        fit: what ``around_fit`` is given.
        spec: of the fit; a GPU run has one GPU a rank, numbered from 0.
        ranks: processes.

    Returns:
        What the first rank found.

    Raises:
        NotMeasuredError: if a rank was killed or failed, naming it; the others are ended.
        UsageError: if the batches cannot be shared by so many.
        HarnessError: if the fit cannot be done as the spec says.
    """
    if distributed.is_torchelastic_launched():
        return _in_group(fit, spec)
    if ranks == 1:
        return fit(spec)
    size_of_share(spec.settings, ranks)  # what cannot be shared is said before any process starts
    with tempfile.TemporaryDirectory(prefix="gnn-ablation-ranks-") as logs, _signals_kept():
        method = _start_method(spec)
        config = LaunchConfig(
            min_nodes=1, max_nodes=1, nproc_per_node=ranks, run_id="fit",
            rdzv_backend="c10d", rdzv_endpoint="localhost:0", local_addr="localhost",
            max_restarts=0, start_method=method, logs_specs=DefaultLogsSpecs(logs),
        )  # fmt: skip
        try:
            if method == "fork":
                # The agent of an earlier fit leaves its store in a cycle. A forked rank that
                # collected it would wait for the store's thread, which only this process has.
                gc.collect()
                found = elastic_launch(config, _serve)(fit, spec)
            else:
                content = pickle.dumps((fit, spec))
                found = elastic_launch(config, _serve_anew)(imported_plugins(), content)
        except ChildFailedError as error:
            raise _told(error, ranks) from error
    result: FitResult | HarnessError = pickle.loads(found[0])  # noqa: S301 - of our own process
    if isinstance(result, HarnessError):
        raise result
    return result


def _start_method(spec: FitSpec) -> str:
    """Forked ranks share the data and the plugins; a GPU, or threads, do not outlive a fork."""
    forks = sys.platform == "linux" and spec.device == "cpu" and torch.get_num_threads() == 1
    return "fork" if forks else "spawn"


def _serve_anew(plugins: tuple[str, ...], content: bytes) -> bytes:
    """The life of a rank's process that begins with nothing."""
    import_plugins(plugins)  # what is unpickled may be theirs
    try:
        return _serve(*pickle.loads(content))  # noqa: S301 - of our own process
    finally:
        # Unlike a forked process this one ends by closing everything, and waits for the group.
        if distributed.is_initialized():
            distributed.destroy_process_group()


def _serve(fit: Callable[[FitSpec], FitResult], spec: FitSpec) -> bytes:
    """The life of a rank's process."""
    die_with_parent()
    gc.freeze()  # what came with the fork is the parent's to release
    try:
        found = _in_group(fit, spec)
        return pickle.dumps(found) if distributed.get_rank() == 0 else b""
    except HarnessError as error:  # all ranks meet it alike
        # One that left while another is still connecting to it would leave that one waiting.
        with suppress(RuntimeError):
            distributed.monitored_barrier(timeout=timedelta(seconds=_TOGETHER))
        return pickle.dumps(error)
    except RuntimeError as error:
        if _lost_another(error):
            # The agent tells of the first that ends: let it be the one that was lost.
            time.sleep(_PATIENCE)
        raise


def _lost_another(error: RuntimeError) -> bool:
    """Whether a rank cannot go on because another one is gone."""
    return isinstance(error, distributed.DistError) or "gloo" in str(error)


def _in_group(fit: Callable[[FitSpec], FitResult], spec: FitSpec) -> FitResult:
    cuda = spec.device.startswith("cuda")
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if cuda else "gloo")
    device = f"cuda:{distributed.get_node_local_rank()}" if cuda else spec.device
    # Processes below a rank would each begin a group of their own.
    return fit(replace(spec, device=device, processes=1))


def _told(error: ChildFailedError, ranks: int) -> HarnessError:
    """The failure that was the first, not those of ranks that then waited in vain."""
    failures = sorted(
        error.failures.items(), key=lambda item: (not _killed(item[1]), item[1].timestamp)
    )
    rank, first = failures[0]
    if _killed(first):
        name = first.signal_name()
        why = ", as the system does when memory runs out" if name == "SIGKILL" else ""
        return NotMeasuredError(f"rank {rank} of {ranks} was killed by {name}{why}")
    return NotMeasuredError(f"rank {rank} of {ranks} failed: {_message(first.message)}")


def _message(said: object) -> str:
    """What a rank raised, out of the record that the agent keeps of it."""
    while isinstance(said, dict):
        said = said.get("message", "")
    return " ".join(str(said).split())


def _killed(failure: ProcessFailure) -> bool:
    """Whether a signal ended it that the agent did not send."""
    return failure.exitcode < 0 and failure.signal_name() != "SIGTERM"


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Put back the handlers of the signals that the agent takes for itself."""
    before = {number: signal.getsignal(number) for number in _HANDLED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
