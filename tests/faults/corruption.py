"""A bit that flips in a file: it is said, with the file and what to do, or it does no harm.

The command is given again after the flip. Where it ends as ever, verdict and findings must be
those of the undisturbed campaign, even where it says that it removed the file itself. Where it
does not, it must name the file or its folder and advise to delete it; that is done, and the
command given once more.
"""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from harness.errors import ExitCode
from tests.faults import evidence
from tests.faults.bench import TIMED, USUAL
from tests.faults.clock import ASKED
from tests.faults.drivers import wait_until
from tests.faults.outline import Outcome, Seen, seen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

    from tests.faults.bench import Bench, Question
    from tests.faults.drivers import Ended

_ADVICE = re.compile(r"delete (it|the trial's folder|the data set's folder)\b")
_REMOVED = re.compile(r"^damaged: .* was removed; it begins anew", re.MULTILINE)


def flip(path: Path, draw: Random) -> str:
    """Turn one bit of a file around; says which."""
    content = bytearray(path.read_bytes())
    place, bit = draw.randrange(len(content)), draw.randrange(8)
    content[place] ^= 1 << bit
    path.write_bytes(content)
    return f"{path.name}: bit {bit} of byte {place} of {len(content)}"


def _flipped(bench: Bench, draw: Random, question: Question, out: Path, path: Path) -> Seen:
    """Flip a bit in a file of a store, and run it to its end, as advised."""
    before = evidence.finished(out)
    trial = path.parent.name if path.parent.parent == out / "trials" else None
    before.pop(trial or "", None)
    where = flip(path, draw)
    ended = bench.run(question, out)
    if ended.code == question.code:
        problems = ended.problems([question.code])
        if trial is not None and evidence.half_written(out):
            shutil.rmtree(path.parent)  # no verdict has read it yet
        problems = problems or bench.compare(question, out, before)
        removed = _REMOVED.search(ended.out + ended.err)
        return seen(problems, Outcome.SAID if removed else Outcome.UNCHANGED, where=where)
    problems = ended.problems([ExitCode.USAGE, ExitCode.NOT_MEASURED])
    problems += _healed(ended, path)
    problems = problems or bench.go_on(question, out, before)
    return seen(problems, Outcome.SAID, where=where)


def _healed(ended: Ended, path: Path) -> list[str]:
    """Do what the command advised; what is wrong with the advice, one sentence each."""
    told = " ".join((ended.out + ended.err).split())
    advice = _ADVICE.search(told)
    named = str(path) in told or str(path.parent) in told
    if not advice or not named:
        return [f"no file to delete is named: {told}"]
    shutil.rmtree(path.parent) if "folder" in advice[0] else path.unlink()
    return []


def _in_trial(name: str) -> Callable[[Bench, Random], Seen]:
    def inject(bench: Bench, draw: Random) -> Seen:
        out = bench.copy(USUAL)
        path = draw.choice(sorted((out / "trials").glob(f"*/{name}")))
        return _flipped(bench, draw, USUAL, out, path)

    inject.__doc__ = f"Flip a bit of a finished trial's {name}."
    return inject


flip_result = _in_trial("result.json")
flip_predictions = _in_trial("gate.npz")
flip_history = _in_trial("metrics_history.csv")


def flip_plan(bench: Bench, draw: Random) -> Seen:
    """Flip a bit of plan.json: a report does not judge by it, and a run lays it out anew."""
    out = bench.copy(USUAL)
    undisturbed = bench.undisturbed(USUAL)
    where = flip(out / "plan.json", draw)
    (out / "verdict.json").unlink()
    told = out / "told.json"
    words = ["report", str(out), "--format", "json", "--output", str(told)]
    report = bench.drivers.start(words).wait()
    problems = []
    outcome = Outcome.SAID
    if report.code == USUAL.code:
        told.rename(out / "verdict.json")
        problems = evidence.difference(undisturbed.verdict, evidence.verdict(out))
        outcome = Outcome.UNCHANGED
    else:
        problems = report.problems([ExitCode.USAGE], "plan.json", "run ablate run")
    problems = problems or bench.go_on(USUAL, out, evidence.finished(out))
    return seen(problems, outcome, where=where)


def flip_record(bench: Bench, draw: Random) -> Seen:
    """Flip a bit of timed blocks or of the references' figures."""
    out = bench.copy(TIMED)
    path = draw.choice([*(out / "blocks").glob("*.json"), *(out / "references").glob("*.json")])
    return _flipped(bench, draw, TIMED, out, path)


def _of_checkpoint(name: str) -> Callable[[Bench, Random], Seen]:
    def inject(bench: Bench, draw: Random) -> Seen:
        out, work = interrupted(bench)
        return _flipped(bench, draw, USUAL, out, work / name)

    inject.__doc__ = f"Flip a bit of {name} of a trial that was interrupted."
    return inject


flip_last = _of_checkpoint("last.pt")
flip_best = _of_checkpoint("best.pt")


def interrupted(bench: Bench) -> tuple[Path, Path]:
    """A store without one trial, which was interrupted after an epoch, and what is left of it."""
    out = bench.copy(USUAL)
    (out / "verdict.json").unlink()
    first = min((out / "trials").iterdir())
    shutil.rmtree(first)
    driver = bench.start(USUAL, out)
    work = out / "work" / first.name
    wait_until(lambda: (work / "last.pt").exists() or not driver.runs(), "no checkpoint comes")
    driver.send(9)
    driver.wait()
    wait_until(lambda: not list(work.glob(".*")) or first.exists(), "it writes on", seconds=2)
    return out, work


def flip_data(bench: Bench, draw: Random) -> Seen:
    """Flip a bit of the packed data set, in which all but some trials are still to be trained."""
    packed = bench.folder / f"data-{draw.getrandbits(32):08x}"
    shutil.copytree(bench.data, packed)
    out = bench.begun(USUAL, keep=draw.randrange(4))
    path = draw.choice(sorted(packed.iterdir()))
    where = flip(path, draw)
    before = evidence.finished(out)
    ended = bench.drivers.start(bench.words(USUAL, out, data=packed)).wait()
    outcome = Outcome.UNCHANGED
    problems = []
    if ended.code != USUAL.code:
        outcome = Outcome.SAID
        problems = ended.problems([ExitCode.USAGE, ExitCode.NOT_MEASURED]) + _healed(ended, path)
    shutil.rmtree(packed, ignore_errors=True)
    # The folder is the user's own here: he puts the data back, and asks again.
    problems = problems or bench.go_on(USUAL, out, before)
    return seen(problems, outcome, where=where)


def flip_cache(bench: Bench, draw: Random) -> Seen:
    """Flip a bit of what is kept for other runs, rates and splits, with trials still to read it."""
    out = bench.begun(ASKED, keep=draw.randrange(4))
    path = draw.choice(sorted(path for path in (out / "cache").rglob("*") if path.is_file()))
    return _flipped(bench, draw, ASKED, out, path)


def lose_result(bench: Bench, draw: Random) -> Seen:
    """Leave a trial's folder without its result, as a deletion does that was interrupted."""
    out = bench.copy(USUAL)
    folder = draw.choice(sorted((out / "trials").iterdir()))
    (folder / "result.json").unlink()
    before = evidence.finished(out)
    before.pop(folder.name)
    return seen(bench.go_on(USUAL, out, before), Outcome.RETRAINED, where=folder.name)
