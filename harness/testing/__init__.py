"""What every feature is held to, for its authors: see :func:`check_feature`."""

from harness.testing.data import planted_graphs

__all__ = ["planted_graphs"]
