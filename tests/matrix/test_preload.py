"""What the fork server prepares; that trials are the same with it is tested in test_local."""

from __future__ import annotations

import subprocess
import sys

_RAISED = """
import sys
import harness.matrix.preload
for error in (EOFError("Ran out of input"), ValueError("a fault")):
    sys.excepthook(type(error), error, None)
"""


def test_what_a_killed_driver_left_unsaid_is_no_traceback_and_a_fault_is_one():
    ended = subprocess.run(
        [sys.executable, "-c", _RAISED], capture_output=True, text=True, check=True
    )
    assert ended.stderr.strip() == "ValueError: a fault"
