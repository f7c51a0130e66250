"""A trial that gets no more memory.

Its address space is limited, so that the allocator refuses. The kernel's own way, where memory is
promised that is not there, is a SIGKILL, and to driver and store the same as in ``kills``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.errors import ExitCode
from tests.faults import evidence
from tests.faults.bench import USUAL
from tests.faults.outline import Outcome, Seen, seen

if TYPE_CHECKING:
    from random import Random

    from tests.faults.bench import Bench


def refuse_memory(bench: Bench, draw: Random) -> Seen:
    """Let one trial take all that it can; the others are none the worse, and it is tried again."""
    del draw
    mark = bench.new_folder()
    question = replace(USUAL, features=f'faults_greedy[mark="{mark}"]')
    out = bench.new_folder()
    ended = bench.run(question, out)
    # One that the system killed is tried again at once, one that raised when it is asked anew.
    problems = ended.problems([ExitCode.NOT_MEASURED, question.code])
    if not mark.exists():
        problems.append("no trial took memory")
    if ended.code == ExitCode.NOT_MEASURED and "memory" not in ended.out + ended.err:
        problems.append(f"memory is not said: {ended.out + ended.err}")
    problems = problems or bench.go_on(question, out, evidence.finished(out))
    return seen(problems, Outcome.SAID)
