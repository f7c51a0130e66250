"""A process that has the command loaded and forks a driver for each request.

``python -m tests.faults.launcher`` reads a JSON line and answers with one: to start the command
(words, folder, files for its output) with the driver's process id, to ask for its end with the
exit code. The drivers share one fork server, so that a campaign begins in a tenth of a second
instead of ten seconds. All else is as with the command itself: each driver is a process and the
leader of a group, and its trials end with it.
"""

from __future__ import annotations

import json
import os
import sys
from multiprocessing import forkserver
from typing import Any

import harness.matrix.ablation
import harness.matrix.scope
import harness.report.write  # noqa: F401 - loaded once, for all drivers
from harness.cli import main
from harness.matrix.local import fork_server


def _drive(asked: dict[str, Any]) -> None:
    """The life of a driver; does not return."""
    os.setsid()
    forkserver._forkserver.ensure_running = lambda: None  # type: ignore[method-assign]
    os.chdir(asked["folder"])
    for number, name in enumerate(("/dev/null", asked["out"], asked["err"])):
        handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(handle, number)
        os.close(handle)
    sys.stdin, sys.argv = open(0, closefd=False), ["ablate", *asked["words"]]  # noqa: SIM115
    code: Any = 1
    try:
        main()
    except SystemExit as ended:
        code = ended.code or 0
    except BaseException:  # noqa: BLE001 - as the interpreter itself does
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _answer(asked: dict[str, Any], drivers: set[int]) -> dict[str, Any]:
    if "words" in asked:
        process = os.fork()
        if not process:
            _drive(asked)
        drivers.add(process)
        return {"pid": process}
    process, status = os.waitpid(asked["pid"], os.WNOHANG)
    drivers.discard(process)
    return {"code": os.waitstatus_to_exitcode(status) if process else None}


def serve() -> None:
    """Answer until nobody asks any more."""
    fork_server()
    forkserver.ensure_running()
    drivers: set[int] = set()
    print(json.dumps({"ready": os.getpid()}), flush=True)  # noqa: T201 - the protocol
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line), drivers)), flush=True)  # noqa: T201
    for process in drivers:
        os.kill(process, 9)


if __name__ == "__main__":
    serve()
