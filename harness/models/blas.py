"""What the BLAS under compiled loops does best."""

from __future__ import annotations

from functools import cache

from threadpoolctl import ThreadpoolController

# OpenBLAS multiplies small matrices where they lie, and copies larger ones into blocks first. It
# has such kernels for these processors, up to 100 x 100 x 100 products of numbers
# (kernel/x86_64/sgemm_small_kernel_permit_skylakex.c).
_WITH_SMALL_KERNELS = frozenset({"SkylakeX", "Cooperlake", "SapphireRapids"})
_SMALL = 100**3


@cache
def small() -> int:
    """Rows x columns x terms of a product up to which OpenBLAS copies nothing; 0 if it always does.

    A copy is paid for by large products. At widths of a layer it is a fifth of the time.
    """
    libraries = ThreadpoolController().info()
    kinds = {one["architecture"] for one in libraries if one["internal_api"] == "openblas"}
    return _SMALL if kinds and kinds <= _WITH_SMALL_KERNELS else 0
