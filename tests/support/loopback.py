"""A web server on loopback for tests: a function from path and query to bytes, and a record of what was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

Reply = tuple[int, str, bytes] | Callable[[BaseHTTPRequestHandler], None]
"""Status, content type, body; or a function that answers the request in a way of its own."""
Handler = Callable[[str, dict[str, str]], Reply]


class Loopback:
    """A running server. ``asked`` holds path and query of every request, robots.txt apart."""

    def __init__(self, handler: Handler, robots: bytes = b"User-agent: *\nAllow: /\n") -> None:
        self.handler, self.robots, self.asked = handler, robots, list[str]()
        outer = self

        class Requests(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
                if parts.path == "/robots.txt":
                    status, kind, body = 200, "text/plain", outer.robots
                else:
                    outer.asked.append(self.path)
                    reply = outer.handler(parts.path, query)
                    if callable(reply):
                        self._answer(reply)
                        return
                    status, kind, body = reply
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _answer(self, reply: Callable[[BaseHTTPRequestHandler], None]) -> None:
                try:
                    reply(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def loopback(handler: Handler, robots: bytes = b"User-agent: *\nAllow: /\n") -> Iterator[Loopback]:
    """A server for the length of a block."""
    server = Loopback(handler, robots)
    try:
        yield server
    finally:
        server.close()
