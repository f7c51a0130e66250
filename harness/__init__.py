"""The public names of the harness; everything else may change.

Names are loaded when they are first used, so that ``import harness`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.errors import DataError, HarnessError, UsageError
    from harness.feature import Claim, Feature, make_arm, register
    from harness.files import read_json, write_json
    from harness.graphs.batch import GraphBatch
    from harness.graphs.dataset import PackedGraphs
    from harness.graphs.sources import Source, register_source
    from harness.graphs.splits import Split, split_by_seed
    from harness.hashing import content_key
    from harness.models import (
        DataShape,
        ModelParts,
        call_model,
        make_model,
        parts_of,
        register_model,
    )  # fmt: skip
    from harness.models.registry import model_values
    from harness.report.frames import load
    from harness.result import EpochRecord, FitResult, FitSpec, Scores
    from harness.run import DataParallel, ParameterGroup, Run, Schedule
    from harness.seal import sealed, unsealed
    from harness.selection import Selection, parse_single, split_list
    from harness.settings import TrainingSettings
    from harness.training.collapse import judge_gate
    from harness.training.evaluate import select_metrics
    from harness.training.fit import fit
    from harness.training.history import scalars_of
    from harness.training.lr_range import Suggestion, run_range_test, suggest
    from harness.training.parallel import fit_each
    from harness.training.ranks import fit_in_ranks
    from harness.training.schedules import PerEpoch, PerStep
    from harness.tuning.search import Search

_HOME = {
    "Claim": "feature",
    "DataError": "errors",
    "DataParallel": "run",
    "DataShape": "models",
    "EpochRecord": "result",
    "Feature": "feature",
    "FitResult": "result",
    "FitSpec": "result",
    "GraphBatch": "graphs.batch",
    "HarnessError": "errors",
    "ModelParts": "models",
    "PackedGraphs": "graphs.dataset",
    "ParameterGroup": "run",
    "PerEpoch": "training.schedules",
    "PerStep": "training.schedules",
    "Run": "run",
    "Schedule": "run",
    "Scores": "result",
    "Search": "tuning.search",
    "Selection": "selection",
    "Source": "graphs.sources",
    "Split": "graphs.splits",
    "Suggestion": "training.lr_range",
    "TrainingSettings": "settings",
    "UsageError": "errors",
    "call_model": "models",
    "content_key": "hashing",
    "fit": "training.fit",
    "fit_each": "training.parallel",
    "fit_in_ranks": "training.ranks",
    "judge_gate": "training.collapse",
    "load": "report.frames",
    "make_arm": "feature",
    "make_model": "models",
    "model_values": "models.registry",
    "parse_single": "selection",
    "parts_of": "models",
    "read_json": "files",
    "register": "feature",
    "register_model": "models",
    "register_source": "graphs.sources",
    "run_range_test": "training.lr_range",
    "scalars_of": "training.history",
    "sealed": "seal",
    "select_metrics": "training.evaluate",
    "split_by_seed": "graphs.splits",
    "split_list": "selection",
    "suggest": "training.lr_range",
    "unsealed": "seal",
    "write_json": "files",
}

__all__ = [
    "Claim", "DataError", "DataParallel", "DataShape", "EpochRecord", "Feature", "FitResult",
    "FitSpec", "GraphBatch", "HarnessError", "ModelParts", "PackedGraphs", "ParameterGroup",
    "PerEpoch", "PerStep", "Run", "Schedule", "Scores", "Search", "Selection", "Source", "Split",
    "Suggestion", "TrainingSettings", "UsageError", "call_model", "content_key", "fit", "fit_each",
    "fit_in_ranks", "judge_gate", "load", "make_arm", "make_model", "model_values", "parse_single",
    "parts_of", "read_json", "register", "register_model", "register_source", "run_range_test",
    "scalars_of", "sealed", "select_metrics", "split_by_seed", "split_list", "suggest", "unsealed",
    "write_json",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'harness' has no attribute '{name}'")
    return getattr(importlib.import_module(f"harness.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
