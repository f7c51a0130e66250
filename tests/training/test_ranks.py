"""Which rank is named when several end; the processes themselves are tested with ddp."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.training.ranks import _lost_another, _message, _told


def _failure(exitcode, signal_name="", timestamp=0, message=""):
    return SimpleNamespace(
        exitcode=exitcode, signal_name=lambda: signal_name, timestamp=timestamp, message=message
    )


def test_a_killed_rank_is_named_before_those_that_lost_it():
    failures = {0: _failure(1, timestamp=1, message="lost"), 1: _failure(-9, "SIGKILL", 2)}
    said = _told(SimpleNamespace(failures=failures), 2).what
    assert said == "rank 1 of 2 was killed by SIGKILL, as the system does when memory runs out"


def test_of_ranks_that_failed_the_first_is_named():
    failures = {0: _failure(1, timestamp=7, message="later"), 1: _failure(1, timestamp=3)}
    failures[1].message = "it broke"
    assert _told(SimpleNamespace(failures=failures), 2).what == "rank 1 of 2 failed: it broke"


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("one\n  two", "one two"),
        ({"message": "broke", "extraInfo": {}}, "broke"),
        ({"message": {"message": "deep\ndown"}}, "deep down"),
        ({}, ""),
    ],
)
def test_a_message_is_read_out_of_the_agents_record(said, read):
    assert _message(said) == read


def test_a_lost_connection_is_told_from_an_error_of_the_ranks_own():
    assert _lost_another(RuntimeError("gloo/transport/tcp/pair.cc: Connection closed by peer"))
    assert not _lost_another(RuntimeError("planted failure"))
