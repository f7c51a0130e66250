"""A plugin that lets a node without a GPU pass for what it declares, and train on its CPU."""

from __future__ import annotations

import os
import sys

from harness.hardware import describe

KIND = "ABLATION_TEST_KIND"


def _declared(device="cpu", threads=1):
    return describe(device, threads).model_copy(update={"kind": os.environ[KIND]})


if KIND in os.environ:
    for name in ("harness.matrix.worker", "harness.cluster.alone"):
        if name in sys.modules:
            sys.modules[name].describe = _declared
