"""Stores that commands read: a folder, or a URL that is fetched into one first."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.config import load_config


def folder_of(text: str) -> Path:
    """The folder of a store, fetched and checked if the text is a URL.

    Raises:
        HarnessError: if a URL cannot be reached, or what is there is not what it claims to be.
        OSError: if the disk is full.
    """
    if "://" not in text:
        return Path(text)
    from harness.sharing.mirror import checked_mirror  # noqa: PLC0415 - takes seconds

    return checked_mirror(text, load_config({}).data_root)


def copies_of(text: str) -> list[Path]:
    """Folders of stores for ``ablate merge``, fetched if the text is a URL, and not checked.

    Raises:
        HarnessError: if a URL cannot be reached.
        OSError: if the disk is full.
    """
    if "://" not in text:
        return [Path(text)]
    from harness.sharing.mirror import mirror  # noqa: PLC0415 - takes seconds

    return mirror(text, load_config({}).data_root)


Stored = Annotated[str, typer.Argument(metavar="DIR", help="folder of --out, or URL of --share")]
AllStored = Annotated[
    list[str], typer.Argument(metavar="DIR...", help="folders of --out, or URLs of --share")
]
