"""Scoring graphs with a model, and the record of an epoch.

Known limitations: the threshold is the one that is best for F1 on *select*, which flatters the
metrics that are taken there: a few hundred graphs are few for the best of as many thresholds and
epochs. *Gate* alone is judged by. Two classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from harness.metrics import Confusion, auc, best_threshold, predict
from harness.result import Scores

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from harness.run import Run


def score(run: Run, model: nn.Module, index: NDArray[np.int64]) -> Scores:
    """Probability of the vulnerable class for the graphs at ``index`` ``[m]``, in that order.

    The model's mode is restored afterwards. The loss is plain cross entropy, whatever the run
    trains on, so that arms can be compared.
    """
    training = model.training
    model.eval()
    probability, loss = [], []
    with torch.no_grad():
        for batch in run.batches(run.parallel.share(index)):
            logits = run.forward(batch, model).float()
            probability.append(logits.softmax(dim=1)[:, 1])
            loss.append(functional.cross_entropy(logits, batch.y, reduction="none"))
    model.train(training)
    count = len(index)
    return Scores(
        index=index,
        label=run.graphs.label[index].astype(np.int64),
        probability=run.parallel.gather(torch.cat(probability), count).cpu().numpy(),
        loss=float(run.parallel.gather(torch.cat(loss), count).sum()) / max(count, 1),
    )


def select_metrics(scores: Scores) -> dict[str, float | int]:
    """The fields of an ``EpochRecord`` that come from *select*, threshold swept.

    Where any probability is not finite every metric is that of "all safe" at threshold 0.5.
    """
    finite = bool(np.isfinite(scores.probability).all())
    probability = scores.probability if finite else np.zeros_like(scores.probability)
    threshold = best_threshold(scores.label, probability) if finite else 0.5
    swept = Confusion.of(scores.label, predict(probability, threshold))
    said = predict(probability, 0.5)
    half = Confusion.of(scores.label, said)
    return {
        "select_loss": scores.loss,
        "threshold": threshold,
        "f1": swept.f1,
        "precision": swept.precision,
        "recall": swept.recall,
        "balanced_accuracy": swept.balanced_accuracy,
        "f1_at_half": half.f1,
        "balanced_accuracy_at_half": half.balanced_accuracy,
        "auc": auc(scores.label, probability),
        "predicted_safe": int(np.sum(said == 0)),
        "predicted_vulnerable": int(np.sum(said == 1)),
    }
