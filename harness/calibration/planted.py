"""What calibration plants: features of known effect, and small graph data; a plugin file.

It is imported by its path, so that runs beside a calibration do not see these names.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from pydantic import Field, PrivateAttr

from harness import Claim, Feature, Source, register, register_source
from harness.hashing import files_key
from harness.testing import data
from harness.testing.data import planted_graphs

if TYPE_CHECKING:
    from harness import PackedGraphs, Run
    from harness.graphs.sources import Progress

_FLIP_EVERY = 8
_OTHER_SEED = 1_000_000_007


@register_source
class CalibrationGraphs(Source):
    """Random trees with a planted defect, made in a second; the graphs of ``harness.testing``."""

    name: ClassVar[str] = "calibration"

    graphs: int = Field(600, ge=10, le=1_000_000, description="how many")
    seed: int = Field(0, ge=0, description="of their content")

    def key(self) -> str:
        """Hash of the options and of the code that makes the graphs."""
        return self.key_of(files_key([Path(data.__file__)]), {})

    def build(self, progress: Progress) -> PackedGraphs:
        """Make them."""
        progress(0, 1, "planted graphs")
        return planted_graphs(self.graphs, seed=self.seed)


@register
class Nothing(Feature):
    """Do nothing at all, under a name of its own, and claim nothing but insight."""

    name: ClassVar[str] = "calibration_nothing"
    claim: ClassVar[Claim] = Claim.INSIGHT


@register
class Restart(Feature):
    """Begin with other random weights: another run, worth exactly as much."""

    name: ClassVar[str] = "calibration_restart"
    claim: ClassVar[Claim] = Claim.QUALITY

    def on_fit_start(self, run: Run) -> None:
        """Draw every layer's weights anew, by a seed that no run has."""
        torch.manual_seed(run.seed + _OTHER_SEED)
        for module in run.model.modules():
            reset = getattr(module, "reset_parameters", None)
            if reset is not None:
                reset()


class _Flip(Feature):
    """Turn the answer for every eighth graph of a batch around, in evaluation alone."""

    def on_fit_start(self, run: Run) -> None:
        """Hook the model."""
        run.model.register_forward_hook(_turn)


@register
class Loss(_Flip):
    """Turn every eighth answer around, which costs about a tenth of F1."""

    name: ClassVar[str] = "calibration_loss"
    claim: ClassVar[Claim] = Claim.QUALITY


@register
class Gain(_Flip):
    """Turn the answers back that calibration_loss turned: all the F1 that it had cost is gained."""

    name: ClassVar[str] = "calibration_gain"
    claim: ClassVar[Claim] = Claim.QUALITY


@register
class Slower(Feature):
    """Sleep at the end of an epoch, for a share of the time that it took."""

    name: ClassVar[str] = "calibration_slower"
    claim: ClassVar[Claim] = Claim.INSIGHT

    share: float = Field(0.3, ge=0, le=100, description="sleep as a share of the epoch's time")
    every: int = Field(1, ge=1, description="sleep in one of so many epochs")

    _start: float = PrivateAttr(0.0)

    def on_epoch_start(self, run: Run) -> None:
        """Start the watch."""
        del run
        self._start = time.perf_counter()

    def on_epoch_end(self, run: Run) -> None:
        """Sleep where it is due: in the last but one of the epochs, so that warm-up is none."""
        if run.epoch % self.every == max(0, self.every - 2):
            time.sleep(self.share * (time.perf_counter() - self._start))


@register
class Collapse(Feature):
    """Multiply the output by zero in one of three runs: every graph gets one answer."""

    name: ClassVar[str] = "calibration_collapse"
    claim: ClassVar[Claim] = Claim.INSIGHT

    every: int = Field(3, ge=1, description="one of so many runs")

    def on_fit_start(self, run: Run) -> None:
        """Hook the model, in the last of so many runs, where nothing comes to the rescue."""
        rescued = any(isinstance(feature, Rescue) for feature in run.arm)
        if run.seed % self.every == self.every - 1 and not rescued:
            run.model.register_forward_hook(_zero)


@register
class Rescue(Feature):
    """Keep calibration_collapse from its work."""

    name: ClassVar[str] = "calibration_rescue"
    claim: ClassVar[Claim] = Claim.INSIGHT


def _turn(module: torch.nn.Module, given: Any, logits: torch.Tensor) -> torch.Tensor:
    del given
    if module.training:
        return logits
    turned = logits.clone()
    turned[::_FLIP_EVERY] *= -1
    return turned


def _zero(module: torch.nn.Module, given: Any, logits: torch.Tensor) -> torch.Tensor:
    del module, given
    return logits * 0
