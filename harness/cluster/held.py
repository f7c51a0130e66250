"""Signals that wait until Ray is not waiting.

Ray puts handlers of its own in the place of the program's when it is connected. And what a handler
raises while Ray waits comes out as an error of Ray: its loop in C++ calls back into Python and
knows of no exception but KeyboardInterrupt, which does not say which signal it was.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Held:
    """Keeps SIGINT and SIGTERM back, for the handlers that there were when it was made.

    In another thread than the main one, which no signal reaches, it does nothing.
    """

    def __init__(self) -> None:
        self._main = threading.current_thread() is threading.main_thread()
        self._handlers = {number: signal.getsignal(number) for number in _SIGNALS}
        self._came: list[int] = []

    @contextmanager
    def holding(self) -> Iterator[Callable[[], None]]:
        """Hold them back; what is given lets those through that came, and is to be called often."""
        if not self._main:
            yield lambda: None
            return
        for number in _SIGNALS:
            signal.signal(number, self._keep)
        try:
            yield self._let_through
        finally:
            for number in _SIGNALS:
                # A handler that was let through may have put another in its place.
                if signal.getsignal(number) == self._keep:
                    signal.signal(number, self._handlers[number])

    def _keep(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._came.append(number)

    def _let_through(self) -> None:
        while self._came:
            number = self._came.pop(0)
            handler = self._handlers[signal.Signals(number)]
            if callable(handler):
                handler(number, None)
            elif handler == signal.SIG_DFL:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
