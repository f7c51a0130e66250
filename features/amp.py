"""Automatic mixed precision."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

import torch
from pydantic import Field

from harness import Claim, Feature, register

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from harness import Run


class Precision(StrEnum):
    """Low precisions, and the choice by what the device does natively."""

    AUTO = "auto"
    BF16 = "bf16"
    FP16 = "fp16"


@register
class AMP(Feature):
    """Run matrix products in bf16 or fp16 under autocast; weights and pooling stay in fp32.

    Why: half the bytes, and on hardware with units for it several times the throughput. fp16
    needs its gradients scaled against underflow, which a GradScaler does; clipping sees them
    unscaled. bf16 has the range of fp32 and needs no scaler.

    Measured, layer by layer (tests/features/test_amp_layers.py): the products of GCN, GAT, SAGE,
    GIN and the head run in low precision, but for GAT's small product of logits. GCN and GAT give
    fp32, since their sums come last; SAGE and GIN end in a product and give low precision, by
    rows from SAGE's second layer on. Sums over neighbours, their gradients, and pooling are in
    fp32 in every layer, on the CPU and off it: rounded at each addition, a sum stops growing at
    256 terms (bf16) or 2048 (fp16), as PyG's own layers do.

    When it hurts: on a CPU or GPU without native low precision it is emulated and slower. Even
    with it, models 64 wide took 0.9 (GIN) to 1.3 (GCN) times the CPU time in bf16 on an AMD EPYC
    with AVX-512 BF16, and some 400 MB more. A part of that are compiled products that oneDNN keeps
    for every shape: ``ONEDNN_PRIMITIVE_CACHE_CAPACITY=16`` in the environment left GCN 230 MB.

    Known limitations: models of other packages sum in what their layers are given. fp16 ends at
    65504: GIN overflows where a graph that it never saw has a node of some thousand neighbours;
    bf16 does not. ``auto`` takes fp16 on GPUs without native bf16 and bf16 elsewhere.

    Source: Micikevicius et al., "Mixed Precision Training", ICLR 2018; torch.amp.
    """

    name: ClassVar[str] = "amp"
    claim: ClassVar[Claim] = Claim.SPEED

    dtype: Precision = Field(Precision.AUTO, description="auto, bf16 or fp16")

    def precision(self, device: torch.device) -> torch.dtype:
        """The low precision on a device."""
        if self.dtype is Precision.FP16:
            return torch.float16
        if self.dtype is Precision.BF16 or device.type != "cuda":
            return torch.bfloat16
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16

    def around_forward(self, run: Run) -> AbstractContextManager[object]:
        """Autocast in the precision of the device."""
        return torch.autocast(run.device.type, dtype=self.precision(run.device))

    def grad_scaler(self, run: Run) -> torch.amp.GradScaler | None:
        """A scaler for fp16, none for bf16."""
        if self.precision(run.device) is not torch.float16:
            return None
        return torch.amp.GradScaler(run.device.type)
