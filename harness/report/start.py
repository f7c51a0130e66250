"""A new feature in a project: its file, its test and its page, all of which work at once."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.feature import FEATURES, Claim
from harness.files import write_whole
from harness.matrix.shapes import ALL, BASELINES
from harness.registry import import_plugin
from harness.report.cards import card_of, to_cards
from harness.testing.starter import check_name, refuse_taken, starter_files, write_new

if TYPE_CHECKING:
    from collections.abc import Iterable

PACKAGE = "features"
PAGE = Path("docs/features.md")


@dataclass(frozen=True)
class Started:
    """What was written for a new feature.

    Attributes:
        files: their paths.
        commands: what its author does next.
    """

    files: tuple[Path, ...]
    commands: tuple[str, ...]


def start_feature(name: str, folder: Path, claim: str) -> Started:
    """Write a feature that works, with its test and its page, and load it.

    In the project whose ``features`` are the built-in ones, the page ``docs/features.md`` is made
    anew if it is what ``ablate features --markdown`` printed before. Elsewhere the feature is a
    plugin, and gets a page of its own in ``docs/features``.

    Args:
        name: of the feature.
        folder: of the project.
        claim: what the feature will promise.

    Raises:
        UsageError: if the name or the claim cannot be used, or a file is there already.
        OSError: if a file cannot be written.
    """
    check_name(name, {ALL, *BASELINES})
    if claim not in list(Claim):
        raise UsageError(
            f"'{claim}' is no claim", where="--claim", mend=f"there are: {', '.join(Claim)}"
        )
    packaged = _is_package(folder / PACKAGE)
    files = starter_files(name, Claim(claim), packaged=packaged)
    if packaged:
        return _start_built_in(name, folder, files)
    return _start_plugin(name, folder, files)


def _is_package(folder: Path) -> bool:
    """Whether a folder is the package that registers the built-in features."""
    found = importlib.util.find_spec(PACKAGE)
    places: Iterable[str] = (found.submodule_search_locations if found else None) or ()
    return folder.resolve() in [Path(place).resolve() for place in places]


def _start_built_in(name: str, folder: Path, files: dict[str, str]) -> Started:
    page = folder / PAGE
    current = page.is_file() and page.read_text("utf-8") == to_cards(FEATURES)
    written = write_new(folder, files)
    importlib.invalidate_caches()
    importlib.import_module(f"{PACKAGE}.{name}")
    commands = [f"pytest tests/features/test_{name}.py", f"ablate run --features {name}"]
    if current:
        write_whole(page, to_cards(FEATURES).encode())
        written.append(page)
    else:
        commands.insert(0, f"ablate features --markdown > {PAGE}")
    return Started(tuple(written), tuple(commands))


def _start_plugin(name: str, folder: Path, files: dict[str, str]) -> Started:
    page = f"docs/features/{name}.md"
    refuse_taken(folder, [*files, page])
    written = write_new(folder, files)
    import_plugin(written[0])
    card = card_of(name, FEATURES.get(name), level=1)
    written += write_new(folder, {page: f"{card}\n"})
    plugin = f"{PACKAGE}/{name}.py"
    commands = (
        f"pytest tests/features/test_{name}.py",
        f"ablate run --plugins {plugin} --features {name}",
    )
    return Started(tuple(written), commands)
