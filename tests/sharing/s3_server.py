"""A real S3 server on loopback, as a process of its own environment, and a proxy that breaks."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMAND = "ABLATION_MOTO_SERVER"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1",
}  # fmt: skip


def command():
    """The server's program, or None where it is not installed."""
    return os.environ.get(COMMAND) or shutil.which("moto_server")


@contextmanager
def serving():
    """Serve one bucket, ``tests``; gives host and port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    process = subprocess.Popen(
        [command(), "-H", address[0], "-p", str(address[1])],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _make_bucket(address)
        yield address
    finally:
        process.kill()
        process.wait()


def _make_bucket(address):
    host, port = address
    for attempt in range(600):
        try:
            request = urllib.request.Request(f"http://{host}:{port}/tests", method="PUT")
            urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 - loopback
        except OSError:
            if attempt == 599:
                raise
            time.sleep(0.1)
        else:
            return


@contextmanager
def breaking(address, broken):
    """A proxy of a server that fails at requests for which ``broken(method, path, count)`` says so.

    It says ``503``, or ``cut`` to end the connection in the middle of the answer.
    """
    counts = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            place = self.command, self.path
            counts[place] = counts.get(place, 0) + 1
            how = broken(self.command, self.path, counts[place])
            if how == "503":
                self.send_response(503)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            onward = http.client.HTTPConnection(*address, timeout=30)
            onward.request(self.command, self.path, body, dict(self.headers))
            answer = onward.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else len(content)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if how == "cut":
                self.wfile.write(content[: len(content) // 2])
                self.close_connection = True
                return
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass  # noqa: N815 - the library's names

        def log_message(self, *_):
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address, counts
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
