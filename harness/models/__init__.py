"""Graph classifiers: one file per architecture, all known by name."""

from harness.models import gat, gcn, gin, sage
from harness.models.parts import ModelParts, parts_of
from harness.models.registry import MODELS, DataShape, call_model, make_model, register_model

__all__ = [
    "MODELS", "DataShape", "ModelParts", "call_model", "gat", "gcn", "gin", "make_model",
    "parts_of", "register_model", "sage",
]  # fmt: skip
