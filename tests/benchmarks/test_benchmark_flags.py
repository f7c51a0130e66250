from __future__ import annotations

import pytest
import torch

from benchmarks import flags


@pytest.fixture
def matmul_flag():
    """torch's flag, put back afterwards."""
    settings = torch.backends.mkldnn.matmul
    before = settings.fp32_precision
    yield settings
    settings.fp32_precision = before


def rounded(dtype):
    return lambda left, right: (left.to(dtype) @ right.to(dtype)).float()


def test_fp32_products_are_exact():
    assert flags.products_are_exact()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_products_of_rounded_numbers_are_not(dtype):
    assert not flags.products_are_exact(rounded(dtype))


def test_onednn_is_taken_only_where_it_is_exact(matmul_flag):
    taken = flags.use_onednn()
    assert taken == (matmul_flag.fp32_precision == "bf16")
    assert flags.products_are_exact()


def test_onednn_is_given_back_where_it_is_not(matmul_flag, monkeypatch):
    monkeypatch.setattr(flags, "products_are_exact", lambda: False)
    assert not flags.use_onednn()
    assert matmul_flag.fp32_precision == "none"
