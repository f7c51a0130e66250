"""When a run counts as collapsed, judged while it trains and at its end.

The rule over a whole arm, a gate F1 below half of the baseline's median, is the collapse gate's.

Known limitations: a run whose predictions fall to one class in every second epoch trains to its
end, and is judged by its chosen epoch. While training the threshold is 0.5, so a run of which the
probabilities all stay on one side of it after the warm-up is stopped even if they rank well.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.metrics import predict
from harness.result import Collapse

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from harness.result import EpochRecord, Scores

CONSECUTIVE_EPOCHS = 2


def while_training(history: Sequence[EpochRecord], warmup_epochs: int) -> Collapse | None:
    """Judge the run so far; a collapse stops it.

    A run is collapsed if its loss is NaN or infinite, or if it predicted one class only (at
    probability 0.5, on *select*) in two consecutive epochs after the warm-up epochs.
    """
    if not history:
        return None
    last = history[-1]
    if not (math.isfinite(last.train_loss) and math.isfinite(last.select_loss)):
        return not_finite_at(last.epoch)
    recent = [record for record in history[-CONSECUTIVE_EPOCHS:] if record.epoch >= warmup_epochs]
    if len(recent) == CONSECUTIVE_EPOCHS and all(map(_one_class, recent)):
        said = " and ".join(
            f"{'vulnerable' if record.predicted_vulnerable else 'safe'} in epoch {record.epoch + 1}"
            for record in recent
        )
        return Collapse(
            rule="one_class_twice", epoch=last.epoch, detail=f"every graph is predicted {said}"
        )
    return None


def not_finite_at(epoch: int) -> Collapse:
    """The verdict on a loss or a probability that is NaN or infinite."""
    return Collapse(
        rule="not_finite", epoch=epoch, detail=f"the loss is not finite in epoch {epoch + 1}"
    )


def judge_gate(gate: Scores, threshold: float, epoch: int) -> Collapse | None:
    """Judge the scores on *gate* at the chosen epoch and threshold."""
    if not math.isfinite(float(gate.probability.sum())):
        return not_finite_at(epoch)
    return at_chosen_epoch(predict(gate.probability, threshold), epoch)


def at_chosen_epoch(predicted: NDArray[np.uint8], epoch: int) -> Collapse | None:
    """Judge the predictions ``[m]`` on *gate* at the chosen epoch and threshold."""
    found = int(predicted.sum())
    if 0 < found < len(predicted):
        return None
    said = "vulnerable" if found else "safe"
    return Collapse(
        rule="one_class",
        epoch=epoch,
        detail=f"every graph is predicted {said} at the chosen epoch {epoch + 1}",
    )


def _one_class(record: EpochRecord) -> bool:
    return record.predicted_safe == 0 or record.predicted_vulnerable == 0
