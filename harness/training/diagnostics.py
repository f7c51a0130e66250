"""What a collapsed run leaves behind: ``diagnostics.json`` for tools, ``diagnostics.txt`` to read.

The recommendations fit the configuration: nothing is advised that the run already does.

Known limitations: the advice is read off the history by rules, no rule looks into the graphs, and
what helped elsewhere need not help here: it is what to try first.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from harness.feature import FEATURES
from harness.files import write_json, write_whole
from harness.graphs.cutting import usual_graphs
from harness.training.configuration import metadata

if TYPE_CHECKING:
    from pathlib import Path

    from harness.result import EpochRecord, FitResult
    from harness.training.live import LiveRun

THREE_REMEDIES = 3
SMALL_GRADIENT = 1e-6
HIGH_RATE = 1e-2
CHANCE_AUC = 0.6


def diagnose(run: LiveRun, result: FitResult) -> dict[str, Any]:
    """Gather what is known of a collapsed run, as JSON data.

    Raises:
        ValueError: if the run did not collapse.
    """
    if result.collapse is None:
        raise ValueError("only a collapsed run is diagnosed")
    label = run.graphs.label[run.train]
    return {
        **metadata(run.spec),
        "collapse": result.collapse.model_dump(),
        "train_graphs": len(label),
        "train_vulnerable": int((label == 1).sum()),
        "best_epoch": result.best_epoch,
        "threshold": result.threshold,
        "history": [_plain(record) for record in result.history],
        "notes": list(result.notes),
        "recommendations": recommend(run, result),
    }


def recommend(run: LiveRun, result: FitResult) -> list[str]:
    """Advice that fits the rule that applied and what the run already does."""
    rule = "" if result.collapse is None else result.collapse.rule
    last = result.history[-1] if result.history else None
    advice = _for_not_finite(run, last) if rule == "not_finite" else []
    if rule.startswith("one_class") and last is not None:
        advice += _for_one_class(run, result, last)
    if last is not None and last.gradient_norm < SMALL_GRADIENT:
        advice.append(
            f"The gradient is {last.gradient_norm:.1e}: nothing reaches the weights. Look for a "
            "layer that is detached, constant, or frozen."
        )
    return advice or ["Train again with another seed, and without features if that collapses too."]


def _for_not_finite(run: LiveRun, last: EpochRecord | None) -> list[str]:
    rate = run.settings.learning_rate if last is None else last.learning_rate
    chosen = [feature.name for feature in run.arm if "learning_rate" in feature.hooks()]
    by = f" ({chosen[0]} chose it)" if chosen else ""
    advice = [f"Lower the learning rate: it is {rate:.1e}{by}; try {rate / 10:.1e}."]
    if not run.settings.clip_norm:
        advice.append("Clip gradients: clip_norm is 0; try 1.0.")
    if run.scaler is not None:
        scaled = next(str(feature) for feature in run.arm if "grad_scaler" in feature.hooks())
        advice.append(
            f"Train without {scaled}, or in bf16: its range is that of fp32, while fp16 overflows "
            "above 65504."
        )
    return advice


def _for_one_class(run: LiveRun, result: FitResult, last: EpochRecord) -> list[str]:
    remedies = [feature.name for feature in run.arm if feature.reweights_classes]
    share = float((run.graphs.label[run.train] == 1).mean())
    vulnerable = last.predicted_vulnerable > 0
    advice = []
    if result.collapse is not None and result.collapse.rule == "one_class":
        best = result.history[result.best_epoch]
        # Which class it was at the chosen threshold, and not at 0.5 in the last epoch.
        vulnerable = result.gate is not None and result.gate.probability.min() >= result.threshold
        if best.auc < CHANCE_AUC:
            advice.append(
                f"The model ranks graphs hardly better than chance (AUC {best.auc:.2f} on select): "
                "train longer, or at another learning rate."
            )
    advice.append(_about_balance(remedies, share, vulnerable=bool(vulnerable)))
    if last.learning_rate > HIGH_RATE:
        advice.append(f"Lower the learning rate: {last.learning_rate:.1e} is high for Adam.")
    nodes = run.graphs.num_nodes[run.train].mean()
    size = usual_graphs(float(nodes), run.settings.batch_size, run.settings.batch_nodes)
    if size * share < 1 and not any("sampler" in feature.hooks() for feature in run.arm):
        advice.append(
            f"Batches of {size:.0f} hold {size * share:.1f} vulnerable graphs on average: use "
            "larger batches, or a feature that owns the sampler."
        )
    return advice


def _about_balance(remedies: list[str], share: float, *, vulnerable: bool) -> str:
    """Advice on the features that counter class imbalance; ``share`` is vulnerable in training."""
    if vulnerable and len(remedies) >= THREE_REMEDIES:
        return (
            f"Everything is predicted vulnerable and {len(remedies)} features counter the class "
            f"imbalance ({', '.join(remedies)}): take one out."
        )
    if vulnerable and remedies:
        return (
            f"Everything is predicted vulnerable: weaken {remedies[0]}; "
            f"{share:.0%} of the training graphs are vulnerable."
        )
    if vulnerable:
        return f"Everything is predicted vulnerable; {share:.0%} of the training graphs are."
    if remedies:
        return f"Everything is predicted safe although {remedies[0]} is on: train longer."
    known = [name for name, feature in FEATURES if feature.reweights_classes]
    return (
        f"Everything is predicted safe and only {share:.0%} of the training graphs are "
        f"vulnerable: add {' or '.join(known) or 'a feature that counters the imbalance'}."
    )


def _plain(record: EpochRecord) -> dict[str, Any]:
    """A record as JSON data: numbers that are not finite become null."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in record.model_dump().items()
    }


def to_text(report: dict[str, Any]) -> str:
    """The report as a page to read."""
    columns = (
        "epoch", "train_loss", "select_loss", "f1", "threshold", "predicted_safe",
        "predicted_vulnerable", "learning_rate", "gradient_norm",
    )  # fmt: skip
    rows = [[record[column] for column in columns] for record in report["history"]]
    configuration = [[key, str(value)] for key, value in report["configuration"].items()]
    collapse = report["collapse"]
    parts = [
        f"COLLAPSED ({collapse['rule']}): {collapse['detail']}",
        "What to try:\n" + "\n".join(f"  - {advice}" for advice in report["recommendations"]),
        f"Training graphs: {report['train_graphs']}, vulnerable: {report['train_vulnerable']}",
        "Predictions are on select, at probability 0.5:\n" + tabulate(rows, headers=columns),
        "Configuration:\n" + tabulate(configuration, tablefmt="plain"),
    ]
    if report["notes"]:
        parts.insert(2, "The run said:\n" + "\n".join(f"  - {note}" for note in report["notes"]))
    return "\n\n".join(parts) + "\n"


def write(report: dict[str, Any], folder: Path) -> None:
    """Write ``diagnostics.json`` and ``diagnostics.txt``, each whole."""
    write_json(folder / "diagnostics.json", report)
    write_whole(folder / "diagnostics.txt", to_text(report).encode())
