"""What a collapsed run leaves behind: ``diagnostics.json`` for tools, ``diagnostics.txt`` to read.

The recommendations fit the configuration: nothing is advised that the run already does.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from harness.files import write_json, write_whole
from harness.training.configuration import metadata

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.feature import Feature
    from harness.result import EpochRecord, FitResult, FitSpec

THREE_REMEDIES = 3
SMALL_GRADIENT = 1e-6
HIGH_RATE = 1e-2


def diagnose(spec: FitSpec, arm: Sequence[Feature], result: FitResult) -> dict[str, Any]:
    """Gather what is known of a collapsed run, as JSON data.

    Raises:
        ValueError: if the run did not collapse.
    """
    if result.collapse is None:
        raise ValueError("only a collapsed run is diagnosed")
    label = spec.graphs.label[spec.split.train]
    return {
        **metadata(spec),
        "collapse": result.collapse.model_dump(),
        "train_graphs": len(label),
        "train_vulnerable": int((label == 1).sum()),
        "best_epoch": result.best_epoch,
        "threshold": result.threshold,
        "history": [_plain(record) for record in result.history],
        "notes": list(result.notes),
        "recommendations": recommend(spec, arm, result),
    }


def recommend(spec: FitSpec, arm: Sequence[Feature], result: FitResult) -> list[str]:
    """Advice that fits the rule that applied and what the run already does."""
    rule = "" if result.collapse is None else result.collapse.rule
    last = result.history[-1] if result.history else None
    advice = _for_not_finite(spec, arm, last) if rule == "not_finite" else []
    if rule.startswith("one_class") and last is not None:
        advice += _for_one_class(spec, arm, last)
    if last is not None and spec.settings.clip_norm and last.gradient_norm < SMALL_GRADIENT:
        advice.append(
            f"The gradient is {last.gradient_norm:.1e}: nothing reaches the weights. Look for a "
            "layer that is detached, constant, or frozen."
        )
    if not advice:
        advice.append("Train again with another seed; if that collapses too, train without features.")
    return advice


def _for_not_finite(
    spec: FitSpec, arm: Sequence[Feature], last: EpochRecord | None
) -> list[str]:
    advice = []
    rate = spec.settings.learning_rate if last is None else last.learning_rate
    chosen = [feature.name for feature in arm if "learning_rate" in feature.hooks()]
    by = f" ({chosen[0]} chose it)" if chosen else ""
    advice.append(f"Lower the learning rate: it is {rate:.1e}{by}; try {rate / 10:.1e}.")
    if not spec.settings.clip_norm:
        advice.append("Clip gradients: clip_norm is 0; try 1.0.")
    scaled = [feature for feature in arm if "grad_scaler" in feature.hooks()]
    if scaled:
        advice.append(f"Train without {scaled[0]}, or in bf16, whose range is that of fp32.")
    return advice


def _for_one_class(spec: FitSpec, arm: Sequence[Feature], last: EpochRecord) -> list[str]:
    advice = []
    remedies = [feature.name for feature in arm if feature.reweights_classes]
    label = spec.graphs.label[spec.split.train]
    share = float((label == 1).mean())
    if last.predicted_vulnerable and len(remedies) >= THREE_REMEDIES:
        advice.append(
            f"Everything is predicted vulnerable and {len(remedies)} features counter the class "
            f"imbalance ({', '.join(remedies)}): take one out, the sampler first."
        )
    elif last.predicted_vulnerable and remedies:
        advice.append(
            f"Everything is predicted vulnerable: weaken {remedies[0]}; "
            f"{share:.0%} of the training graphs are vulnerable."
        )
    elif not last.predicted_vulnerable and not remedies:
        advice.append(
            f"Everything is predicted safe and only {share:.0%} of the training graphs are "
            "vulnerable: add class_weights or weighted_sampler."
        )
    elif not last.predicted_vulnerable:
        advice.append(f"Everything is predicted safe although {remedies[0]} is on: train longer.")
    if last.learning_rate > HIGH_RATE:
        advice.append(f"Lower the learning rate: {last.learning_rate:.1e} is high for Adam.")
    if spec.settings.batch_size * share < 1:
        advice.append(
            f"Batches of {spec.settings.batch_size} hold {spec.settings.batch_size * share:.1f} "
            "vulnerable graphs on average: use larger batches or a weighted sampler."
        )
    return advice


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
