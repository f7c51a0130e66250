"""Coverage guidance: atheris keeps the inputs that reach new lines, and damages those further.

Optional: ``pip install atheris`` (the dependency group ``fuzz``); ``--guided`` without it is an
error. libFuzzer runs the loop and ends the process when a hang, a crash or its memory limit is met.
"""

from __future__ import annotations

import sys
import time
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fuzz.target import Target

INSTRUMENTED = (
    "harness.selection", "harness.config", "harness.files", "harness.graphs.sources",
    "harness.graphs.code", "harness.graphs.dataset", "harness.graphs.build", "harness.tuning.space",
    "harness.tuning.journal", "harness.matrix", "harness.training.history", "tomllib", "json",
    "zipfile", "csv",
)  # fmt: skip
COMPILED = (
    "harness.compiled", "harness.graphs.folds", "harness.graphs.joining",
    "harness.models.attention", "harness.models.loops",
)  # fmt: skip
"""What numba compiles cannot be instrumented."""

_ANOTHER = 0.3
"""Of the inputs, those that are another file's, damaged for the first time."""


def instrumented() -> None:
    """Import the targets so that their readers report what they reach.

    Raises:
        SystemExit: if atheris is not installed.
    """
    try:
        import atheris  # noqa: PLC0415 - optional
    except ImportError:
        sys.exit("--guided needs atheris: pip install atheris")
    with atheris.instrument_imports(
        include=list(INSTRUMENTED), exclude=list(COMPILED), enable_loader_override=False
    ):
        import tests.fuzz.targets  # noqa: F401, PLC0415


def run(target: Target, folder: Path, out: Path, seed: int, seconds: float) -> None:
    """As ``child.run``, with libFuzzer choosing what is damaged next.

    An input is the number of a file and its content; inputs are damaged by the file's own rules.
    """
    import atheris  # noqa: PLC0415 - optional

    from tests.fuzz.child import Child  # noqa: PLC0415

    child = Child(target, folder, out)
    child.check_sound()
    child.limit()
    out.mkdir(parents=True, exist_ok=True)
    corpus = folder.parent / "corpus"
    corpus.mkdir()
    for place, path in enumerate(child.files[:255]):
        (corpus / str(place)).write_bytes(bytes([place]) + child.sound[path])
    begun = told = time.monotonic()

    def split(data: bytes) -> tuple[int, bytes]:
        return (data[0] if data else 0) % len(child.files), data[1:]

    def read(data: bytes) -> None:
        nonlocal told
        place, content = split(data)
        path = child.files[place]
        problem = child.execute(path, content)
        if problem is not None:
            child.note(problem, path, content)
        if time.monotonic() - told > 1:
            told = time.monotonic()
            child.tell(told - begun)

    def damage(data: bytes, most: int, number: int) -> bytes:
        random = Random(number)
        place, content = split(data)
        # Sound files all reach the same lines, and of those libFuzzer keeps the first alone.
        if random.random() < _ANOTHER:
            place, content = random.randrange(min(len(child.files), 256)), b""
        path, others = child.files[place], list(child.sound.values())
        changed = child.prepared.files[path](random, content or child.sound[path], others)
        return bytes([place]) + changed[: most - 1]

    words = [
        "fuzz", f"-seed={seed % (1 << 31)}", f"-max_total_time={max(1, int(seconds))}",
        # The alarm is one for both, and libFuzzer's answer to it comes first.
        f"-timeout={target.seconds - 1}", "-rss_limit_mb=0", "-max_len=262144", "-verbosity=0",
        f"-artifact_prefix={out}/", str(corpus),
    ]  # fmt: skip
    atheris.Setup(words, read, custom_mutator=damage)
    atheris.Fuzz()
