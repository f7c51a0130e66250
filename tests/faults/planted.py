"""Features that break a trial in a known way; a plugin file for the fault bench."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from pydantic import Field
from torch.nn import functional

from harness import Claim, Feature, register
from harness.feature import HOOKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness import Run


@register
class Pace(Feature):
    """Sleep at the end of each epoch, so that there is something to be interrupted."""

    name: ClassVar[str] = "faults_pace"
    claim: ClassVar[Claim] = Claim.INSIGHT

    def on_epoch_end(self, run: Run) -> None:
        """Sleep."""
        del run
        time.sleep(0.1)


@register
class NotANumber(Feature):
    """Make the loss NaN from one epoch on."""

    name: ClassVar[str] = "faults_nan"
    claim: ClassVar[Claim] = Claim.QUALITY

    epoch: int = Field(1, ge=0, description="the first epoch whose loss is NaN")

    def criterion(self, run: Run) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """The loop's own, until it is time."""

        def broken(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
            losses = functional.cross_entropy(logits, label, reduction="none")
            return losses * float("nan") if run.epoch >= self.epoch else losses

        return broken


@register
class Greedy(Feature):
    """Take memory until the process gets no more, the first time that it is trained."""

    name: ClassVar[str] = "faults_greedy"
    claim: ClassVar[Claim] = Claim.QUALITY

    mark: str = Field("", description="file that remembers that it was done")

    def on_batch_end(self, run: Run) -> None:
        """Take it once, in the second epoch."""
        if run.epoch != 1 or Path(self.mark).exists():
            return
        Path(self.mark).touch()
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        limit = pages * os.sysconf("SC_PAGESIZE") + (256 << 20)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        taken = []
        while True:
            taken.append(torch.ones(1 << 20))


def _raiser(hook: str) -> type[Feature]:
    """A feature that has one hook alone, which raises."""

    def raises(self: Feature, *_: Any) -> Any:
        raise RuntimeError(f"planted where {hook} is asked")

    name = f"Raise_{hook}"
    # Tracebacks tell of functions by the names that their code was compiled under.
    raises.__code__ = raises.__code__.replace(co_name=hook, co_qualname=f"{name}.{hook}")
    members = {
        "__module__": __name__,
        "__doc__": f"Raise in {hook}.",
        "__annotations__": {"name": "ClassVar[str]", "claim": "ClassVar[Claim]"},
        "name": f"faults_in_{hook}",
        "claim": Claim.QUALITY,
        hook: raises,
    }
    return type(name, (Feature,), members)


for _hook in HOOKS:
    register(_raiser(_hook))
