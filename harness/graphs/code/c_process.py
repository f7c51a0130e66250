"""C and C++ from untrusted places, parsed in a process of its own.

On some texts of a few kilobytes the parser asks for gigabytes, and then takes its process down.
Here that costs the one text, which is counted as unreadable. The two sides speak in lengths and
JSON, never in pickles.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import IO, TYPE_CHECKING, Self

from harness.graphs.code.c import DIALECTS, CFunction, CParser, Dialect
from harness.graphs.code.graph import MAX_TEXT_BYTES, SyntaxTree, UnreadableCodeError

if TYPE_CHECKING:
    from types import TracebackType

MAX_MEMORY = 1 << 30
"""Address space of the parsing process, in bytes, where the system can limit it."""

MAX_WAIT = 60.0
"""Seconds after which a parser that does not answer is given up."""

_HEAD = 8


class CReader:
    """Reads texts one by one; a context manager, whose end ends the process.

    Args:
        dialect: grammar to read with.
        max_nodes: largest tree that is given.
    """

    def __init__(self, dialect: Dialect, max_nodes: int) -> None:
        self._arguments = [dialect, str(max_nodes)]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def read(self, text: str | bytes) -> CFunction:
        """Read one function.

        Raises:
            UnreadableCodeError: if the text is too long, too large a tree, or too much for the
                parser.
        """
        code = text.encode("utf-8", "replace") if isinstance(text, str) else text
        if len(code) > MAX_TEXT_BYTES:
            raise UnreadableCodeError("the text is longer than 1 MiB")
        answer = self._ask(code)
        if answer is None:
            self._stop()
            raise UnreadableCodeError("the text is too much for the parser")
        found = json.loads(answer)
        if "error" in found:
            raise UnreadableCodeError(found["error"])
        return CFunction(SyntaxTree(**found["tree"]), found["name"])

    def _ask(self, code: bytes) -> bytes | None:
        process = self._process or self._start()
        assert process.stdin is not None  # noqa: S101 - both ends are pipes, see _start
        assert process.stdout is not None  # noqa: S101 - both ends are pipes, see _start
        watch = threading.Timer(MAX_WAIT, process.kill)
        watch.daemon = True
        watch.start()
        try:
            _send(process.stdin, code)
            return _receive(process.stdout)
        except OSError:
            return None
        finally:
            watch.cancel()

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, this module
            [sys.executable, "-m", __spec__.name, *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        return self._process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what was not yet written is lost with the process
                    continue


def serve(asked: IO[bytes], answered: IO[bytes], dialect: Dialect, max_nodes: int) -> None:
    """Answer texts with trees until the input ends."""
    parser = CParser(dialect)
    while (code := _receive(asked)) is not None:
        try:
            function = parser.read(code, max_nodes)
            answer = {"name": function.name, "tree": vars(function.tree)}
        except UnreadableCodeError as error:
            answer = {"error": str(error)}
        _send(answered, json.dumps(answer).encode())


def _send(pipe: IO[bytes], content: bytes) -> None:
    pipe.write(len(content).to_bytes(_HEAD, "little") + content)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> bytes | None:
    """Read one message; None at the end of the input, or where it is cut short."""
    head = pipe.read(_HEAD)
    length = int.from_bytes(head, "little")
    content = pipe.read(length)
    return content if len(head) == _HEAD and len(content) == length else None


def _limit_memory() -> None:
    try:
        import resource  # noqa: PLC0415 - Unix only
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))


def main(arguments: list[str]) -> None:
    """Serve standard input and output: ``DIALECT MAX_NODES``."""
    dialect = DIALECTS[DIALECTS.index(arguments[0])]
    _limit_memory()
    serve(sys.stdin.buffer, sys.stdout.buffer, dialect, int(arguments[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
