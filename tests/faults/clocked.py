"""A wall clock that steps by hours, back and forth; a plugin file for the fault bench.

Every process of a run imports it. What reads ``time.time`` gets the stepped clock; the monotonic
clocks, by which a kernel measures durations, are left as they are.
"""

from __future__ import annotations

import time

_HOURS = (0, 3, -2, 24 * 60, -24 * 60, 0)
_EVERY = 0.4
_true, _start = time.time, time.monotonic()


def _stepped() -> float:
    step = int((time.monotonic() - _start) / _EVERY)
    return _true() + 3600 * _HOURS[step % len(_HOURS)]


time.time = _stepped
