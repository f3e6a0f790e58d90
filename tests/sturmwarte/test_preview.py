"""A first look follows redirects no further than a crawl would."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

import pytest
from loopback import Loopback, Reply, loopback

from sturmwarte.preview import NoAnswer, fetcher

HERE = ("127.0.0.1",)


def forwarding(target: str) -> Reply:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", target)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def pages(path: str, query: dict[str, str]) -> Reply:
    if "to" in query:
        return forwarding(query["to"])
    return 200, "text/html; charset=utf-8", "<p>Störung</p>".encode()


def asked(server: Loopback, to: str) -> str:
    with pytest.raises(NoAnswer) as refused:
        fetcher("test@example.org", HERE)(f"{server.url}/?to={to}")
    return str(refused.value)


def test_a_redirect_is_followed_to_what_it_leads_to() -> None:
    with loopback(pages) as server:
        found = fetcher("test@example.org", HERE)(f"{server.url}/?to=/neu")
        assert (found.url, found.body.decode()) == (f"{server.url}/neu", "<p>Störung</p>")
        assert found.headers["content-type"] == "text/html; charset=utf-8"
        assert server.asked == ["/?to=/neu", "/neu"]


@pytest.mark.parametrize("host", ["127.0.0.2", "169.254.169.254", "10.0.0.1", "[::1]", "2130706434"])
def test_no_redirect_leads_into_the_own_network(host: str) -> None:
    with loopback(pages) as server:
        said = asked(server, f"http://{host}:{urlsplit(server.url).port}/geheim")
        assert "not a public address" in said or "no public name" in said
        assert len(server.asked) == 1


def test_a_name_that_stands_for_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with loopback(pages) as server:
        port = urlsplit(server.url).port
        monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("127.0.0.3", port))])
        said = asked(server, f"http://harmlos.example:{port}/geheim")
        assert "harmlos.example is 127.0.0.3" in said


def test_a_private_address_that_nobody_named_is_refused_at_once() -> None:
    with loopback(pages) as server:
        with pytest.raises(NoAnswer, match="not a public address"):
            fetcher("test@example.org")(server.url)
        assert server.asked == []


def test_other_schemes_and_circles_are_no_answer() -> None:
    with loopback(pages) as server:
        assert "only http and https" in asked(server, "file:///etc/passwd")
    with loopback(lambda path, query: forwarding("/wieder")) as server:
        assert asked(server, "/wieder") == "more than 5 redirects"


def test_robots_of_where_a_redirect_leads_hold_too() -> None:
    with loopback(pages, b"User-agent: *\nDisallow: /geheim\n") as server:
        assert asked(server, "/geheim") == "robots.txt of 127.0.0.1 forbids it"
        assert server.asked == ["/?to=/geheim"]
