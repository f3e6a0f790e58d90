"""A server on loopback that goes wrong on demand: what portals and interfaces do on bad days, one answer at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """One answer. ``pause``: seconds between its two halves."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pause: float = 0.0


def json_reply(body: bytes | str) -> Reply:
    return Reply(body.encode() if isinstance(body, str) else body, headers={"Content-Type": "application/json"})


def unauthorised() -> Reply:
    return Reply(b'{"error":"unauthorized"}', 401, {"Content-Type": "application/json"})


def too_many(retry_after: int = 60) -> Reply:
    return Reply(b"slow down", 429, {"Retry-After": str(retry_after)})


def captcha() -> Reply:
    page = b"<html><head><title>Just a moment...</title></head><body><form id='captcha-form'></form></body></html>"
    return Reply(page, headers={"Content-Type": "text/html"})


def slow(reply: Reply, seconds: float) -> Reply:
    """The second half of the body comes late."""
    return Reply(reply.body, reply.status, reply.headers, seconds)


def broken_utf8(reply: Reply) -> Reply:
    """Every u-umlaut loses its second byte."""
    return Reply(reply.body.replace("ü".encode(), b"\xc3"), reply.status, reply.headers)


def changed_layout() -> Reply:
    """Well-formed, and nothing that anybody knows."""
    return json_reply('{"v2":{"entries":[{"body":"neu"}]}}')


@dataclass(frozen=True)
class Seen:
    """A request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    """Lower-case names."""
    body: bytes


Answerer = Callable[[Seen], Reply]


class Faulty:
    """Answers by path without query: a reply, a function of the request, or several replies of which the last stays."""

    def __init__(self) -> None:
        self.answers: dict[str, Reply | Answerer | list[Reply]] = {}
        self.seen: list[Seen] = []
        house = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                seen = Seen(self.command, self.path, headers, self.rfile.read(length))
                house.seen.append(seen)
                try:
                    self._send(house.reply(seen))
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def do_POST(self) -> None:
                self.do_GET()

            def _send(self, reply: Reply) -> None:
                self.send_response(reply.status)
                for name, value in ({"Content-Length": str(len(reply.body))} | reply.headers).items():
                    self.send_header(name, value)
                self.end_headers()
                half = len(reply.body) // 2
                self.wfile.write(reply.body[:half])
                time.sleep(reply.pause)
                self.wfile.write(reply.body[half:])

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def paths(self) -> list[str]:
        return [seen.path for seen in self.seen if seen.path != "/robots.txt"]

    def reply(self, seen: Seen) -> Reply:
        found = self.answers.get(seen.path.partition("?")[0], Reply(b"not here", 404))
        if isinstance(found, list):
            return found.pop(0) if len(found) > 1 else found[0]
        return found if isinstance(found, Reply) else found(seen)

    def put(self, path: str, *replies: Reply) -> None:
        self.answers[path] = list(replies)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def faulty(answers: dict[str, Reply | Sequence[Reply]] | None = None) -> Iterator[Faulty]:
    """A server that is closed in the end."""
    server = Faulty()
    for path, found in (answers or {}).items():
        server.put(path, *([found] if isinstance(found, Reply) else found))
    try:
        yield server
    finally:
        server.close()
