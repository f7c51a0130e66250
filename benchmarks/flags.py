"""What can be had by flags alone: allocator, GEMM library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

# glibc gives freed blocks back to the system and asks for them anew at the next step, a page fault
# for each 4 KiB. So told it keeps them (the GNU C library's manual, "Memory Allocation Tunables").
KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1),
    "MALLOC_TOP_PAD_": str(64 << 20),
}
# torch's own: blocks of 2 MiB and more are aligned, and the kernel is asked for huge pages.
HUGE_PAGES = {"THP_MEM_ALLOC_ENABLE": "1"}

_EXACT = 1e-5


def use_onednn() -> bool:
    """Let torch hand fp32 products to oneDNN, where that loses no precision; says whether it does.

    The only flag that routes them there permits bf16 inside. Without units for whole bf16 tiles
    (AMX) oneDNN computes in fp32 all the same, and faster than MKL does on AMD; with them it would
    not, so the flag is taken back unless products are as good as fp32 against fp64.
    """
    settings: Any = torch.backends.mkldnn
    settings.matmul.fp32_precision = "bf16"
    exact = products_are_exact()
    if not exact:
        settings.matmul.fp32_precision = "none"
    return exact


def products_are_exact(
    multiply: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = torch.matmul,
) -> bool:
    """Whether fp32 products, of the shapes of a layer's forward and backward pass, are fp32."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(4096, 128, generator=draw)
    weight = torch.randn(128, 128, generator=draw)
    for left, right in ((x, weight), (x, weight.t()), (x.t(), x)):
        exact = left.double() @ right.double()
        error = (multiply(left, right) - exact).abs().max()
        if float(error) > _EXACT * float(exact.abs().max()):
            return False
    return True
