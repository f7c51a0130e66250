"""The LR finder: what it chooses, what it says, and what it takes from its cache."""

from __future__ import annotations

import json
from random import Random

import pytest

from features import lr_finder
from harness.errors import UsageError
from harness.seal import sealed, unsealed
from harness.testing import differences
from harness.training.fit import fit
from harness.training.live import LiveRun
from harness.training.lr_range import RangeTest, Suggestion

QUICK = "lr_finder[steps=10]"


@pytest.fixture
def tests_made(monkeypatch):
    """The range tests that were really run."""
    made = []

    def counted(run, **values):
        made.append(run.configuration())
        return original(run, **values)

    original = lr_finder.run_range_test
    monkeypatch.setattr(lr_finder, "run_range_test", counted)
    return made


def entry_of(folder):
    (path,) = (folder / "lr_finder").glob("*.json")
    return path


def text_of(entry):
    """A changed entry that vouches for itself."""
    return json.dumps(sealed(entry))


def test_the_rate_is_between_floor_and_cap_and_the_run_says_how_it_was_found(make_spec):
    run = LiveRun(make_spec("lr_finder+param_groups"))
    rate = run.learning_rate()
    assert 1e-3 <= rate <= 5e-3
    (note,) = run.notes
    assert note.startswith(f"lr_finder: {rate:.2e} (")
    assert "confidence" in note
    assert {group["lr"] for group in run.optimizer.param_groups} == {rate, rate / 2}


@pytest.mark.parametrize("fallback", [True, False])
def test_it_takes_what_the_range_test_suggests_within_its_own_limits(
    make_spec, monkeypatch, fallback
):
    asked = {}

    def suggest(test, **limits):
        asked.update(limits, test=test)
        return Suggestion(3e-3, 0.25, "because", fallback)

    monkeypatch.setattr(lr_finder, "suggest", suggest)
    arm = "lr_finder[floor=1e-4,cap=4e-3,fallback=2e-3,steps=10,lowest=1e-5,highest=1e-2]"
    run = LiveRun(make_spec(arm))
    assert run.learning_rate() == 3e-3
    assert run.notes == ["lr_finder: 3.00e-03 (because; confidence 0.25)"]
    test = asked.pop("test")
    assert asked == {"floor": 1e-4, "cap": 4e-3, "fallback": 2e-3}
    assert isinstance(test, RangeTest)
    assert test.rates[0] == pytest.approx(1e-5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("lowest=0.1,highest=0.01", "lowest must be below highest"),
        ("floor=0.01,cap=0.001", "floor must not be above cap"),
        ("steps=2", "field 'steps'"),
        ("cap=inf", "field 'cap'"),
    ],
)
def test_values_that_make_no_sense_are_refused(make_spec, values, message):
    with pytest.raises(UsageError, match=message):
        make_spec(f"lr_finder[{values}]")


# The cache -----------------------------------------------------------------------------------


def test_a_hit_gives_the_bits_of_a_fresh_test(make_spec, tmp_path, tests_made):
    spec = make_spec("lr_finder", model="gin", cache=tmp_path)
    fresh, again = fit(spec), fit(spec)
    without = fit(make_spec("lr_finder", model="gin"))
    assert len(tests_made) == 2
    assert not differences(fresh, again)
    assert not differences(fresh, without)


def test_another_run_is_another_entry(make_spec, tmp_path, tests_made):
    others = [
        {},
        {"arm": "lr_finder[steps=10,salt=x]"},
        {"arm": "lr_finder[steps=11]"},
        {"arm": "lr_finder[steps=10]+swa"},
        {"model": "gat"},
        {"model": "gcn[hidden=32]"},
        {"seed": 1},
        {"batch_size": 8},
    ]
    for other in others:
        LiveRun(make_spec(**{"arm": QUICK, "cache": tmp_path, **other}))
    assert len(tests_made) == len(others)
    assert len(list((tmp_path / "lr_finder").iterdir())) == len(others)


@pytest.mark.parametrize(
    ("age_in_days", "days", "fresh"),
    [(0, 30, True), (29.9, 30, True), (30.1, 30, False), (-1, 30, False), (3, 2, False)],
)
def test_an_entry_is_used_until_it_expires(
    make_spec, tmp_path, tests_made, monkeypatch, age_in_days, days, fresh
):
    spec = make_spec(f"lr_finder[steps=10,expiry_days={float(days)}]", cache=tmp_path)
    LiveRun(spec)
    created = json.loads(entry_of(tmp_path).read_text("utf-8"))["created"]
    later = created + age_in_days * lr_finder.SECONDS_A_DAY
    monkeypatch.setattr(lr_finder.time, "time", lambda: later)
    LiveRun(spec)
    assert len(tests_made) == (1 if fresh else 2)


def test_at_expiry_zero_nothing_is_kept(make_spec, tmp_path, tests_made):
    for _ in range(2):
        LiveRun(make_spec("lr_finder[steps=10,expiry_days=0]", cache=tmp_path))
    assert len(tests_made) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: "",
        lambda entry: "{",
        lambda entry: "[1, 2]",
        lambda entry: "null",
        lambda entry: text_of({**entry, "format": 1}),
        lambda entry: json.dumps({**entry, "rate": float("nan")}),
        lambda entry: text_of({**entry, "rate": -1e-3}),
        lambda entry: text_of({**entry, "rate": 5e-9}),
        lambda entry: text_of({**entry, "rate": 4.0}),
        lambda entry: text_of({**entry, "rate": "0.001"}),
        lambda entry: json.dumps({**sealed(entry), "rate": 0.002}),
        lambda entry: json.dumps({**sealed(entry), "digest": None}),
        lambda entry: json.dumps(entry).replace(str(entry["rate"]), "1" + "0" * 400),
        lambda entry: json.dumps(entry).replace(str(entry["rate"]), "9" * 5000),
        lambda entry: text_of({key: entry[key] for key in entry if key != "reason"}),
        lambda entry: text_of({**entry, "reason": "x" * 10_000}),
        lambda entry: text_of({**entry, "confidence": "high"}),
        lambda entry: text_of({**entry, "created": None}),
        lambda entry: text_of({**entry, "surprise": 1}),
    ],
)
def test_a_damaged_or_hostile_entry_is_ignored_and_replaced(
    make_spec, tmp_path, tests_made, change
):
    spec = make_spec(QUICK, cache=tmp_path)
    rate = LiveRun(spec).learning_rate()
    path = entry_of(tmp_path)
    path.write_text(change(unsealed(json.loads(path.read_text("utf-8")))), "utf-8")
    assert LiveRun(spec).learning_rate() == rate
    assert len(tests_made) == 2
    assert json.loads(path.read_text("utf-8"))["rate"] == rate


def test_after_any_flipped_bit_the_rate_is_the_same(make_spec, tmp_path, tests_made):
    spec = make_spec(QUICK, cache=tmp_path)
    rate = LiveRun(spec).learning_rate()
    path, draw = entry_of(tmp_path), Random(0)
    whole = path.read_bytes()
    # Each bit of the rate, and some of all others.
    digits = range(whole.index(b"rate") + 7, whole.index(b"confidence") - 3)
    for place in [*digits, *draw.choices(range(len(whole)), k=20)]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        assert LiveRun(spec).learning_rate() == rate
    assert len(tests_made) > len(digits) // 2


def test_a_cache_that_cannot_be_written_costs_the_entry_alone(make_spec, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way", "utf-8")
    run = LiveRun(make_spec(QUICK, cache=blocked))
    assert any("is not cached: Not a directory" in note for note in run.notes)
    assert run.learning_rate() >= 1e-3
