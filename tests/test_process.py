"""Setting a process up is told to torch and the allocator, in a process of its own."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from harness.process import cpu_seconds

FAULTS = """
import resource, sys, torch
from harness.process import set_up
set_up(1, {"ABLATION_ALLOCATOR": sys.argv[1]})
assert torch.get_num_threads() == 1
for step in range(22):
    if step == 2:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    kept = [torch.ones(16 << 20) for _ in range(2)]
    del kept
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(allocator):
    command = [sys.executable, "-c", FAULTS, allocator]
    return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator is not glibc's")
def test_freed_memory_is_used_again_unless_the_user_says_no():
    assert faults("") < faults("system") / 3


def test_cpu_seconds_count_children_that_have_ended():
    spin = "import time\nwhile time.process_time() < 0.5: pass"
    before = cpu_seconds()
    subprocess.run([sys.executable, "-c", spin], check=True)
    assert 0.4 < cpu_seconds() - before < 2
