"""Free memory is the machine's own, or what a control group leaves of it."""

from __future__ import annotations

import pytest

from harness.matrix.memory import available_memory, machine_memory

MIB = 1 << 20


@pytest.fixture
def machine(tmp_path):
    """A made-up machine: ``machine(free=100, groups={"a": (80, 30, 0)})``, all in MiB."""
    proc, cgroup = tmp_path / "proc", tmp_path / "cgroup"

    def make(*, free, groups=None, path="a/b"):
        (proc / "self").mkdir(parents=True)
        (proc / "meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable:  {free << 10} kB\n")
        (proc / "self" / "cgroup").write_text(f"0::/{path}\n")
        (cgroup / path).mkdir(parents=True)
        for name, (most, used, cached) in (groups or {}).items():
            (cgroup / name / "memory.max").write_text("max\n" if most is None else f"{most * MIB}")
            (cgroup / name / "memory.current").write_text(f"{used * MIB}\n")
            (cgroup / name / "memory.stat").write_text(f"file 1\ninactive_file {cached * MIB}\n")
        return proc, cgroup

    return make


@pytest.mark.parametrize(
    ("groups", "wanted"),
    [
        ({}, 100),
        ({"a/b": (None, 50, 0)}, 100),
        ({"a/b": (80, 50, 0)}, 30),
        ({"a/b": (80, 50, 20)}, 50),
        ({"a": (60, 50, 0), "a/b": (80, 50, 0)}, 10),
        ({"a/b": (80, 90, 0)}, 0),
        ({"a/b": (500, 50, 0)}, 100),
    ],
)
def test_the_narrowest_limit_counts(machine, groups, wanted):
    assert machine_memory(*machine(free=100, groups=groups)) == wanted * MIB


def test_a_machine_that_tells_nothing_gives_half_of_what_it_has(tmp_path):
    assert machine_memory(tmp_path, tmp_path) > MIB


def test_this_machine_has_some():
    assert available_memory() > MIB
