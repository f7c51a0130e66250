"""``auto`` becomes a number once, and stays that number where results are kept."""

from __future__ import annotations

import pytest

from harness.config import RunConfig
from harness.errors import DataError, UsageError
from harness.matrix.auto_size import resolve
from harness.selection import parse_single
from harness.testing import planted_graphs

MIB = 1 << 20


@pytest.fixture(scope="module")
def graphs():
    return planted_graphs(3000)


@pytest.fixture
def ask(graphs, tmp_path):
    """The choice for a run: ``ask(free=64, models="gcn,gat", jobs=2)``, memory in MiB."""

    def make(*, free=4096, models="gcn", jobs=1, **config):
        asked = RunConfig(**{"batch_size": "auto", **config})
        selected = [parse_single(one) for one in models.split(",")]
        return resolve(
            asked, selected, {"planted": graphs}, tmp_path / "cache", jobs, lambda _: free * MIB
        )

    return make


def test_a_number_is_left_alone(ask):
    config, chosen = ask(batch_size=48)
    assert (config.training.batch_size, chosen) == (48, None)
    assert ask(batch_size=None)[1] is None


def test_auto_is_no_size_to_train_at():
    with pytest.raises(UsageError, match="not chosen yet"):
        _ = RunConfig(batch_size="auto").training


def test_the_resolved_number_is_what_trials_are_made_with(ask):
    config, chosen = ask()
    assert config.training.batch_size == chosen.batch_size.size == 64  # 1800 graphs, 20 steps


def test_trials_at_once_share_the_memory(ask):
    alone, shared = (ask(jobs=jobs)[1].batch_size for jobs in (1, 8))
    assert alone.memory == 8 * shared.memory


def test_little_memory_and_wide_models_make_small_batches(ask):
    wide = ask(free=128, models="gcn,gat[hidden=1024]")[1].batch_size
    assert wide.size < ask(free=128)[1].batch_size.size
    assert wide.what == "gat[hidden=1024] on planted"


def test_a_kept_choice_holds_whatever_memory_there_is_later(ask):
    _, chosen = ask()
    assert not chosen.path.exists()
    chosen.keep()
    config, again = ask(free=4, jobs=2)
    assert config.batch_size == again.batch_size.size == chosen.batch_size.size
    assert not again.batch_size.fits
    other = ask(free=4, jobs=2, models="sage")[1].batch_size
    assert other.size < chosen.batch_size.size


@pytest.mark.parametrize(
    "content", ["", "{}", '{"size": 0}', '{"size": "many"}', "[1]", '{"size": 5, "digest": "of 4"}']
)
def test_a_damaged_choice_is_said_and_not_replaced(ask, content):
    _, chosen = ask()
    chosen.path.parent.mkdir(parents=True)
    chosen.path.write_text(content)
    with pytest.raises(DataError, match="holds no batch size"):
        ask()
