"""The files that a new feature starts from: one that works, and its test."""

from __future__ import annotations

import keyword
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

from harness.errors import UsageError
from harness.feature import FEATURES, Claim
from harness.selection import is_name

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_NAME: Final = 40
_TEMPLATES: Final = Path(__file__).parent / "templates"
_IMPORTED: Final = frozenset({"Any", "Claim", "ClassVar", "Feature", "Field", "PrivateAttr", "Run"})
"""Names that the new file imports, so that no class of it can be called so."""


def check_name(name: str, reserved: Iterable[str] = ()) -> None:
    """Refuse a name that no new feature can have.

    Args:
        name: of the feature, of its file and in selections.
        reserved: words that mean something else where features are named.

    Raises:
        UsageError: saying what is in the way.
    """
    mend = f"take a-z, 0-9 and _, a letter first, at most {LONGEST_NAME} of them"
    if not is_name(name):
        raise UsageError(f"a feature cannot be called {name!r}", where="--new", mend=mend)
    if len(name) > LONGEST_NAME:
        raise UsageError(f"'{name}' has {len(name)} letters", where="--new", mend=mend)
    if keyword.iskeyword(name) or name in reserved:
        raise UsageError(f"'{name}' means something else", where="--new", mend="take another name")
    if name in FEATURES.names():
        raise UsageError(
            f"there is a feature '{name}'", where="--new", mend=f"see: ablate features {name}"
        )


def class_name(name: str) -> str:
    """The class of a feature: ``label_smoothing`` gives ``LabelSmoothing``."""
    joined = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    return f"{joined}Feature" if joined in _IMPORTED else joined


def starter_files(name: str, claim: Claim, *, packaged: bool) -> dict[str, str]:
    """The texts of a new feature, by their paths below the folder that they go to.

    Args:
        name: of the feature; see ``check_name``.
        claim: what it will promise.
        packaged: whether the folder's ``features`` is the package that registers the built-in
            features; otherwise the test imports the feature as a plugin.
    """
    values = {"name": name, "cls": class_name(name), "claim": claim.name}
    shape = "packaged" if packaged else "plugin"
    return {
        f"features/{name}.py": _filled("feature.py.txt", values),
        f"tests/features/test_{name}.py": _filled(f"test_{shape}.py.txt", values),
    }


def refuse_taken(folder: Path, paths: Iterable[str]) -> None:
    """Refuse paths below a folder if one of them is taken.

    Raises:
        UsageError: naming the first that is.
    """
    for path in (folder / one for one in paths):
        if path.exists() or path.is_symlink():
            raise UsageError("is there already", where=str(path), mend="take another name")


def write_new(folder: Path, files: dict[str, str]) -> list[Path]:
    """Write files that are not there yet; none is written if one is there.

    Args:
        folder: that their paths are below.
        files: texts by path.

    Returns:
        What was written, in the order given.

    Raises:
        UsageError: if one is there already.
        OSError: if one cannot be written.
    """
    refuse_taken(folder, files)
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        # x: what another process has put there meanwhile stays.
        with target.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    return [folder / path for path in files]


def _filled(template: str, values: dict[str, str]) -> str:
    return Template((_TEMPLATES / template).read_text("utf-8")).substitute(values)
