"""The ``ablate`` command: thin, each command calls one library function."""

from harness.cli.app import main

__all__ = ["main"]
