"""The code blocks of the documentation, and its command lines."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")) if path.name != "CHANGELOG.md"
)
TOURS = [ROOT / "docs/TRAINING_QUICK_START.md", *sorted(ROOT.glob("docs/how-to/*.md"))]
"""Pages whose blocks run one after the other: python, toml, and sh; console is only read."""

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_INDENTED = re.compile(r"(?:^ {4}\S.*\n)+", re.MULTILINE)
_COMMAND = re.compile(
    r"(?:[A-Z_]+=\S+ )*(?:ablate|nox -s (?P<session>ablation|gate|calibrate) --"
    r"|(?:torchrun\b.*?|python) -m harness) (?P<words>.+)"
)
_NAMED = re.compile(r"# (\w[\w.-]*\.\w+)\n")
_SESSIONS = {"ablation": "run", "gate": "gate", "calibrate": "calibrate"}


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the file that its first line names."""

    language: str
    text: str

    @property
    def file(self):
        found = _NAMED.match(self.text)
        return found[1] if found else None

    @property
    def lines(self):
        return [line for line in self.text.replace("\\\n", " ").splitlines() if line.strip()]


def blocks(page):
    return [Block(*found) for found in _FENCED.findall(page.read_text("utf-8"))]


def commands(page):
    """The words after ``ablate`` of every command line in the page's code blocks."""
    text = page.read_text("utf-8")
    indented = [Block("", found) for found in _INDENTED.findall(_FENCED.sub("", text))]
    for block in (*blocks(page), *indented):
        if block.language in ("", "sh", "console"):
            for line in block.lines:
                found = _COMMAND.match(line.strip())
                # Two spaces in a row are a table of commands with what they do.
                if found and not re.search(r"^\w+ {2,}", found["words"]):
                    words = _words(found["words"])
                    yield [_SESSIONS[found["session"]], *words] if found["session"] else words


def _words(text):
    """A line's words as a shell splits them; ``...`` stands for flags that do not matter."""
    plain = re.sub(r'"\$\([^)]*\)"', "REV", text)
    words = shlex.split(plain)
    for sign in (">", "|"):
        words = words[: words.index(sign)] if sign in words else words
    return [word for word in words if word != "..."]
