"""Streams: read from where the last visit ended, given on as they come, complete up to the last word of the server."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from crawlers.registry import spiders
from crawlers.service import crawl_forever
from pipeline.words import Answer, SourceState

BRANDS = {"nordnetz": {"name": "NordNetz", "accounts": ["did:plc:nordnetz"]}}
Play = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """An aiohttp server in a thread of its own; ``play`` answers, ``asked`` is what was asked for."""

    def __init__(self) -> None:
        self.play: Play | None = None
        self.asked: list[str] = []
        self._loop, ready = asyncio.new_event_loop(), threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait(10)

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        self._loop.run_until_complete(self._runner.setup())
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._runner.cleanup())
        self._loop.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        assert self.play is not None
        return await self.play(request)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.close()


@pytest.fixture
def jet(world: Any, server: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A house with a source that listens to the server for a second."""
    world.spiders = spiders()
    world.sources = {
        "board": {"spider": "jetstream", "url": f"{server.url}/subscribe", "stay": "1s", "terms": ["#netzausfall"]}
    }
    plain = type(world).configuration.fget
    with_brands = property(lambda self: type(plain(self)).model_validate(plain(self).model_dump() | {"brands": BRANDS}))
    monkeypatch.setattr(type(world), "configuration", with_brands)
    return world


def micro(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000)


def event(
    at: datetime, key: str, text: str, did: str = "did:plc:anna", operation: str = "create", **record: Any
) -> str:
    commit: dict[str, Any] = {"operation": operation, "collection": "app.bsky.feed.post", "rkey": key}
    if operation != "delete":
        commit["record"] = {"text": text, "createdAt": at.isoformat(), "langs": ["de"], **record}
    return json.dumps({"did": did, "time_us": micro(at), "kind": "commit", "commit": commit})


def answer(uri: str) -> dict[str, Any]:
    return {"root": {"uri": uri}, "parent": {"uri": uri}}


def sends(*events: str | bytes, then: str = "stay") -> Play:
    """A websocket that sends these and then stays open, or closes."""

    async def play(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for one in events:
            await (socket.send_bytes(one) if isinstance(one, bytes) else socket.send_str(one))
        if then == "stay":
            await socket.receive()
        await socket.close()
        return socket

    return play


def test_a_stream_gives_what_names_a_brand_and_goes_on_from_there(jet, server):
    now = jet.clock.now()
    root = "at://did:plc:anna/app.bsky.feed.post/k1"
    server.play = sends(
        event(now, "k1", "NordNetz geht seit Stunden nicht."),
        event(now, "k2", "Schönes Wetter heute."),
        event(now, "k3", "Hier auch nichts.", did="did:plc:bert", reply=answer(root)),
        event(now, "k4", "Alle offline #Netzausfall", did="did:plc:carl"),
        event(now, "k5", "Danke!", reply=answer("at://did:plc:nordnetz/app.bsky.feed.post/n1")),
        json.dumps({"did": "did:plc:x", "time_us": micro(now), "kind": "identity"}),
    )
    report = jet.visit()
    assert (report.complete, report.state) == (True, SourceState.LEARNING)
    assert jet.pipeline.natives == [f"/ pdid:plc:{name}" for name in ("anna/k1", "anna/k5", "bert/k3", "carl/k4")]
    assert server.asked == ["/subscribe?wantedCollections=app.bsky.feed.post"]
    row = jet.row()
    assert row.watermark == now - timedelta(seconds=5)
    assert row.complete_from is not None and row.complete_from >= now
    assert row.next_due <= jet.clock.now() + timedelta(seconds=35)
    later = jet.clock.now()
    server.play = sends(
        event(now, "k1", "NordNetz geht seit Stunden nicht."),
        event(later, "k6", "NordNetz läuft wieder."),
        event(later, "k2", "", operation="delete"),
        event(later, "k1", "", operation="delete"),
    )
    jet.pipeline.items.clear()
    second = jet.visit()
    assert (second.items, second.complete) == (2, True)
    assert {item.native_id[-2:]: item.deleted for item in jet.pipeline.items.values()} == {"k6": False, "k1": True}
    assert server.asked[1].endswith(f"&cursor={micro(now)}")
    assert jet.row().watermark > row.watermark


def test_what_was_missed_beyond_the_servers_memory_is_a_hole(jet, server):
    start = jet.clock.now()
    server.play = sends(event(start, "k1", "NordNetz"))
    jet.visit()
    jet.sources["board"]["window"] = "1h"
    jet.clock.advance(hours=3)
    oldest = jet.clock.now() - timedelta(hours=1)
    server.play = sends(event(oldest, "k2", "NordNetz"), event(jet.clock.now(), "k3", "NordNetz"))
    assert jet.visit().complete
    [hole] = jet.row().holes
    assert (hole.start - start, hole.end) == (timedelta(0), oldest)
    assert hole.reason == "the stream no longer reached back to the last visit"
    jet.visit()
    assert len(jet.row().holes) == 1


def test_a_gap_within_the_servers_memory_is_none(jet, server):
    server.play = sends(event(jet.clock.now(), "k1", "NordNetz"))
    jet.visit()
    jet.clock.advance(hours=3)
    server.play = sends(event(jet.clock.now(), "k2", "NordNetz"))
    jet.visit()
    assert jet.row().holes == ()


def test_a_stream_that_has_not_caught_up_is_behind_but_its_watermark_moves(jet, server):
    server.play = sends(event(jet.clock.now(), "k1", "NordNetz"))
    jet.visit()
    jet.clock.advance(hours=5)
    reached = jet.clock.now() - timedelta(hours=2)
    server.play = sends(event(reached, "k2", "NordNetz"))
    report = jet.visit()
    assert (report.complete, report.state) == (False, SourceState.BEHIND)
    assert report.reason == "the stream has not caught up with the present yet"
    assert jet.row().watermark == reached - timedelta(seconds=5) == report.watermark
    assert jet.row().cursor["at"] == micro(reached)


def test_items_are_durable_while_the_stream_is_still_open(jet, server):
    """They go on when they come, not when the visit ends: the server sees it before it closes."""
    seen: list[int] = []

    async def play(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(event(jet.clock.now(), "k1", "NordNetz"))
        for _ in range(200):
            await asyncio.sleep(0.02)
            if jet.pipeline.items:
                seen.append(len(jet.pipeline.items))
                break
        await socket.receive()
        return socket

    jet.sources["board"]["stay"] = "3s"
    server.play = play
    assert jet.visit().complete
    assert seen == [1]


@pytest.mark.parametrize(
    ("play", "answer", "state"),
    [
        (lambda status: status(401), Answer.GATED, SourceState.BLIND),
        (lambda status: status(429, **{"Retry-After": "900"}), Answer.RATE_LIMITED, SourceState.LEARNING),
        (lambda status: status(200), Answer.ERROR, SourceState.LEARNING),
    ],
)
def test_a_refused_stream_is_told(jet, server, play, answer, state):
    def status(code: int, **headers: str) -> Play:
        async def answers(request: web.Request) -> web.StreamResponse:
            return web.Response(status=code, headers=headers)

        return answers

    server.play = play(status)
    report = jet.visit()
    assert (report.complete, report.answer, report.state, jet.row().watermark) == (False, answer, state, None)
    if answer is Answer.RATE_LIMITED:
        assert jet.row().next_due > jet.clock.now() + timedelta(minutes=14)


def test_a_stream_that_breaks_off_before_the_present_is_a_loss_and_after_it_a_notice(jet, server):
    server.play = sends(then="close")
    assert (jet.visit().complete, jet.row().watermark) == (False, None)
    now = jet.clock.now()
    server.play = sends(event(now, "k1", "NordNetz"), then="close")
    report = jet.visit()
    assert (report.complete, report.items) == (True, 1)
    assert jet.row().reason == "the stream ended early: the server closed it"


def test_events_nobody_understands_are_a_changed_layout(jet, server):
    odd = ['{"neu": true}', "[]", "kaputt", '{"time_us": "x", "did": 7}', b'{"a": "\xff"}'] * 6
    server.play = sends(event(jet.clock.now(), "k1", "NordNetz"), *odd)
    report = jet.visit()
    assert (report.complete, report.answer, report.items) == (False, Answer.LAYOUT_CHANGED, 1)
    assert report.reason.startswith("only 1 of 31 events could be understood")


def test_the_guard_holds_for_streams_and_their_redirects(jet, server):
    async def elsewhere(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("http://169.254.169.254/latest")

    server.play = elsewhere
    report = jet.visit()
    assert (report.complete, report.answer) == (False, Answer.ERROR)
    assert "169.254.169.254, which is not a public address" in report.reason
    jet.crawl |= {"allow_private": ()}
    report = jet.visit()
    assert "127.0.0.1, which is not a public address" in report.reason
    assert len(server.asked) == 1


# --- Mastodon --------------------------------------------------------------------------------------------------


def status(number: int, at: datetime, text: str) -> dict[str, Any]:
    return {
        "id": str(10**17 + number),
        "url": f"https://wolke.example/@b/{10**17 + number}",
        "created_at": at.isoformat(),
        "visibility": "public",
        "content": f"<p>{text}</p>",
        "account": {"id": "1", "acct": "b@wolke.example", "url": "https://wolke.example/@b"},
    }


def test_a_hashtag_is_listened_to_and_what_was_missed_is_read_first(jet, server):
    missed = [status(1, jet.clock.now(), "Vorher")]
    lines: list[str] = []

    async def play(request: web.Request) -> web.StreamResponse:
        if "/timelines/" in request.path:
            return web.json_response(list(reversed(missed)))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for line in lines:
            await response.write(line.encode())
        await asyncio.sleep(5)
        return response

    def update(number: int, text: str, kind: str = "update") -> str:
        return f"event: {kind}\ndata: {json.dumps(status(number, jet.clock.now(), text))}\n\n"

    server.play = play
    jet.sources = {"board": {"spider": "mastodonstream", "url": server.url, "tags": ["#Netz"], "stay": "1s"}}
    lines += [":)\n", update(2, "Live")[:40], update(2, "Live")[40:], "event: delete\ndata: 5\n\n", ":thump\n"]
    begun = jet.clock.now()
    report = jet.visit()
    assert (report.complete, sorted(item.text for item in jet.pipeline.items.values())) == (True, ["Live", "Vorher"])
    assert server.asked == ["/api/v1/streaming/hashtag?tag=Netz", "/api/v1/timelines/tag/Netz?limit=40"]
    assert begun - timedelta(seconds=5) <= jet.row().watermark <= jet.clock.now()
    assert list(jet.row().cursor["lists"]["tag:#Netz"]["known"]) == [f"p{10**17 + 2}", f"p{10**17 + 1}"]
    missed.append(status(3, jet.clock.now(), "Dazwischen"))
    lines[:] = [update(2, "Live"), update(2, "Live, berichtigt", "status.update")]
    jet.pipeline.items.clear()
    assert jet.visit().items == 2
    assert sorted(item.text for item in jet.pipeline.items.values()) == ["Dazwischen", "Live, berichtigt"]
    assert server.asked[3].endswith(f"&since_id={10**17 + 1}")


def test_a_mastodon_stream_without_a_token_is_gated(jet, server):
    async def play(request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": "Missing access token"}, status=401)

    server.play = play
    jet.sources = {"board": {"spider": "mastodonstream", "url": server.url, "tags": ["netz"], "stay": "1s"}}
    report = jet.visit()
    assert (report.complete, report.answer, report.state) == (False, Answer.GATED, SourceState.BLIND)


def test_a_service_that_stops_leaves_the_stream_and_keeps_its_place(jet, server):
    """Reading goes on from the last event; nothing of it counts as the source's failure."""
    now, stop = jet.clock.now(), threading.Event()
    server.play = sends(event(now, "k1", "NordNetz"))
    jet.sources["board"]["stay"] = "10m"
    given = (lambda: jet.configuration, jet.folder, jet.clock, stop)
    crawl = threading.Thread(
        target=crawl_forever, args=given, kwargs={"pipeline_factory": lambda *_: jet.pipeline, "spiders": jet.spiders}
    )
    crawl.start()
    try:
        for _ in range(500):
            if jet.pipeline.items:
                break
            stop.wait(0.02)
    finally:
        stop.set()
        crawl.join(30)
    assert not crawl.is_alive()
    assert jet.pipeline.natives == ["/ pdid:plc:anna/k1"]
    row = jet.row()
    assert (row.cursor["at"], row.failures, row.worker) == (micro(now), 0, None)
