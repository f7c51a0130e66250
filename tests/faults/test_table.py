"""What the bench would say if something were wrong: it must notice, count and show it."""

from __future__ import annotations

from random import Random

import pytest

from tests.faults import evidence
from tests.faults.corruption import flip
from tests.faults.drivers import Ended
from tests.faults.outline import Fault, NotPossibleError, Outcome, Seen, inject, seen
from tests.faults.table import FAULTS, chosen, to_json, to_text


def _fault(answer, *injected):
    """A fault that injects as many as are named, by turns, and answers."""
    counts = iter(injected * 100)

    def make(bench, draw):
        if isinstance(answer, Exception):
            raise answer
        return Seen(answer, next(counts), ("it broke",) if answer is Outcome.WRONG else ())

    return Fault("planted", make)


@pytest.mark.parametrize("injected", [(1,), (3,), (0, 1)])
def test_faults_are_injected_until_there_are_as_many_as_asked(injected):
    told = []
    row = inject(None, _fault(Outcome.RETRAINED, *injected), 6, 0, lambda: told.append(1))
    assert row.injected == row.count(Outcome.RETRAINED) == len(told) == 6
    assert not row.wrong


def test_a_wrong_outcome_is_counted_and_told():
    row = inject(None, _fault(Outcome.WRONG, 1), 1, 0, lambda: None)
    assert row.wrong
    assert "it broke" in to_text([row])
    assert to_json([row])[0]["outcomes"]["wrong"] == 1
    assert seen(["it broke"], Outcome.SAID).outcome is Outcome.WRONG


def test_what_cannot_be_injected_says_why_in_the_table():
    row = inject(None, _fault(NotPossibleError("no mount")), 3, 0, lambda: None)
    assert not row.wrong
    assert "skipped: no mount" in to_text([row])


def test_the_kills_are_shared_out_whole():
    assert sum(fault.share for fault in FAULTS) == pytest.approx(1)
    assert {fault.name for fault in chosen(["npz", "rank"])} == {
        "kill -9 of a rank", "bit flip in gate.npz",
    }  # fmt: skip


def test_one_bit_is_flipped(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(100))
    flip(path, Random(0))
    assert sum(byte.bit_count() for byte in path.read_bytes()) == 1


def test_what_is_lost_or_changed_is_noticed(tmp_path):
    for key in ("one", "two", "three"):
        (tmp_path / "trials" / key).mkdir(parents=True)
        (tmp_path / "trials" / key / "result.json").write_text("{}")
    before = evidence.finished(tmp_path)
    assert evidence.lost(before, tmp_path) == []
    (tmp_path / "trials" / "one" / "result.json").write_text("[]")
    (tmp_path / "trials" / "two" / "result.json").unlink()
    assert evidence.lost(before, tmp_path) == ["lost or changed: one", "lost or changed: two"]
    assert len(evidence.half_written(tmp_path)) == 3


def test_where_two_verdicts_differ_is_named():
    one = {"features": {"swa": {"f1": 0.5, "n": 3}}}
    assert evidence.difference(one, one) == []
    other = {"features": {"swa": {"f1": 0.6, "n": 3}}, "more": 1}
    assert evidence.difference(one, other) == [
        "verdict.features.swa.f1 is 0.6 and was 0.5", "verdict.more is 1 and was None",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ended", "problem"),
    [
        (Ended(1, "", "what\n is said"), None),
        (Ended(2, "what is said", ""), "exit code 2"),
        (Ended(1, "", ""), "not said"),
        (Ended(1, "what is said", "Traceback (most recent call last):"), "a traceback"),
    ],
)
def test_an_end_is_held_against_code_and_words(ended, problem):
    found = ended.problems([1], "what is said")
    assert (problem is None) == (not found)
    assert problem is None or problem in found[0]
