"""``ablate key``."""

from __future__ import annotations

import typer


def key() -> None:
    """Print the key of the engine: as long as it stays, stored trials can be used again.

    A hash of the code that a training run goes through and of the versions it runs on; a name
    for the cache that CI keeps stores in.
    """
    from harness.matrix.spec import cache_key  # noqa: PLC0415 - keep --help quick

    typer.echo(cache_key())
