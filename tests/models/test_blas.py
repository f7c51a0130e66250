"""Strips are taken where the BLAS has kernels for small products, and nowhere else."""

from __future__ import annotations

import pytest

from harness.models import blas


@pytest.fixture(autouse=True)
def asked_anew():
    blas.small.cache_clear()
    yield
    blas.small.cache_clear()


@pytest.mark.parametrize(
    ("libraries", "size"),
    [
        ([("openblas", "SkylakeX")], 1_000_000),
        ([("openblas", "SkylakeX"), ("openblas", "SapphireRapids"), ("openmp", None)], 1_000_000),
        ([("openblas", "Haswell")], 0),
        ([("openblas", "SkylakeX"), ("openblas", "Haswell")], 0),
        ([("mkl", None)], 0),
        ([], 0),
    ],
)
def test_kernels_are_known_by_their_processor(monkeypatch, libraries, size):
    loaded = [
        {"internal_api": api, **({"architecture": name} if name else {})} for api, name in libraries
    ]

    class Loaded:
        def info(self):
            return loaded

    monkeypatch.setattr(blas, "ThreadpoolController", Loaded)
    assert blas.small() == size
