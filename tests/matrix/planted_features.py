"""Features with a known effect; a plugin file for the tests of the matrix."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, PrivateAttr

from harness import Claim, Feature, register

if TYPE_CHECKING:
    import torch

    from harness import Run, Schedule


@register
class NoOp(Feature):
    """Do nothing at all, under a name of its own."""

    name: ClassVar[str] = "planted_noop"
    claim: ClassVar[Claim] = Claim.QUALITY


@register
class Sleeper(Feature):
    """Sleep after each batch for a share of the time that the batch took."""

    name: ClassVar[str] = "planted_sleep"
    claim: ClassVar[Claim] = Claim.QUALITY

    share: float = Field(0.3, ge=0, description="sleep as a share of the batch's time")

    _last: float = PrivateAttr(0.0)

    def on_epoch_start(self, run: Run) -> None:
        """Start the watch."""
        del run
        self._last = time.perf_counter()

    def on_batch_end(self, run: Run) -> None:
        """Sleep."""
        del run
        time.sleep(self.share * (time.perf_counter() - self._last))
        self._last = time.perf_counter()


@register
class ConstantLogits(Feature):
    """Multiply the model's output by zero."""

    name: ClassVar[str] = "planted_constant"
    claim: ClassVar[Claim] = Claim.QUALITY

    def on_fit_start(self, run: Run) -> None:
        """Hook the model."""
        run.model.register_forward_hook(_zero)


def _zero(module: torch.nn.Module, given: Any, logits: torch.Tensor) -> torch.Tensor:
    del module, given
    return logits * 0


@register
class Crash(Feature):
    """End the trial at its second epoch in one of several ways."""

    name: ClassVar[str] = "planted_crash"
    claim: ClassVar[Claim] = Claim.QUALITY

    way: str = Field("raise", description="raise, kill, exit or hang")

    def on_epoch_start(self, run: Run) -> None:
        """Do it."""
        if run.epoch != 1:
            return
        if self.way == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.way == "exit":
            os._exit(7)
        if self.way == "hang":
            time.sleep(3600)
        raise RuntimeError("planted crash")


@register
class KillOnce(Feature):
    """Kill the trial's process in its second epoch, the first time it gets there."""

    name: ClassVar[str] = "planted_kill_once"
    claim: ClassVar[Claim] = Claim.QUALITY

    mark: str = Field("", description="file that remembers that it was done")

    def on_epoch_start(self, run: Run) -> None:
        """Do it once."""
        if run.epoch == 1 and not os.path.exists(self.mark):  # noqa: PTH110
            open(self.mark, "w", encoding="utf-8").close()  # noqa: PTH123
            os.kill(os.getpid(), signal.SIGKILL)


@register
class OwnSchedule(Feature):
    """Own the scheduler, as swa does."""

    name: ClassVar[str] = "planted_schedule"
    claim: ClassVar[Claim] = Claim.QUALITY

    def scheduler(self, run: Run) -> Schedule:
        """The loop's own."""
        return run.default_schedule()


class _Flip(Feature):
    """Turn the answer for every fourth graph of a batch around, in evaluation alone.

    Two of them turn it back: each by itself costs F1, and both together change nothing.
    """

    def on_fit_start(self, run: Run) -> None:
        """Hook the model."""
        run.model.register_forward_hook(_turn)


def _turn(module: torch.nn.Module, given: Any, logits: torch.Tensor) -> torch.Tensor:
    del given
    if module.training:
        return logits
    turned = logits.clone()
    turned[::4] *= -1
    return turned


@register
class Flip(_Flip):
    """Turn every fourth answer around."""

    name: ClassVar[str] = "planted_flip"
    claim: ClassVar[Claim] = Claim.QUALITY


@register
class FlipBack(_Flip):
    """Turn every fourth answer around, once more."""

    name: ClassVar[str] = "planted_flip_back"
    claim: ClassVar[Claim] = Claim.QUALITY


@register
class Insight(Feature):
    """Do nothing, and claim no better F1 than nothing."""

    name: ClassVar[str] = "planted_insight"
    claim: ClassVar[Claim] = Claim.INSIGHT
