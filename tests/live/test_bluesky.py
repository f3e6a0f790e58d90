"""From a post in a Bluesky of one's own to a mention in the store, through AppView and account server."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bluesky import Network, bluesky
from servers import wait_for

from crawlers.service import crawl_forever, crawl_once
from pipeline.clock import SystemClock
from pipeline.configuration import Configuration, StoreTable
from pipeline.query.tree import EVERYTHING
from pipeline.store.opening import open_store
from pipeline.words import Answer, SourceState

pytestmark = [pytest.mark.live, pytest.mark.long, pytest.mark.timeout(1800)]

POSTS = 10
INTERVAL = "2s"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with bluesky(tmp_path_factory.mktemp("bluesky")) as running:
        yield running


def configuration(**source: Any) -> Configuration:
    return Configuration.model_validate(
        {
            "contact": "test@example.org",
            "brands": {"nordnetz": {"name": "NordNetz", "accounts": ["nordnetz.test"]}},
            "sources": {"sky": {"spider": "bluesky", "queries": ["NordNetz"], **source}},
            "crawl": {"delay": 0, "allow_private": ["127.0.0.1"]},
        }
    )


def texts(folder: Path) -> dict[str, str]:
    """Text → author's pseudonym of everything in the store."""
    with closing(open_store(folder, StoreTable(), clock=SystemClock(), read_only=True)) as store:
        return {mention.crawled.text: str(mention.crawled.author) for mention in store.scan(EVERYTHING)}


def record(text: str, **more: Any) -> dict[str, Any]:
    return {"text": text, "langs": ["de"], "createdAt": datetime.now(UTC).isoformat(), **more}


def test_a_new_post_is_a_mention_within_seconds(network: Network, tmp_path: Path, capsys: Any) -> None:
    anna, bert = network.account("anna.test"), network.account("bert.test")
    network.post(anna, record("NordNetz wird hier schon länger erwähnt."))
    network.post(anna, record("Von etwas ganz anderem."))
    told = configuration(url=network.appview, interval=INTERVAL)
    wait_for(lambda: crawl_once(told, tmp_path, SystemClock())[0].items > 0, "the first post at the AppView", 60)
    assert list(texts(tmp_path)) == ["NordNetz wird hier schon länger erwähnt."]

    stop, took = threading.Event(), []
    crawl = threading.Thread(target=crawl_forever, args=(lambda: told, tmp_path, SystemClock(), stop))
    crawl.start()
    try:
        for number in range(POSTS):
            said = f"Beitrag {number} über NordNetz: seit Montag kein Netz in Köln, Störung {number} gemeldet."
            begun = time.monotonic()
            network.post((anna, bert)[number % 2], record(said))
            wait_for(lambda said=said: said in texts(tmp_path), said, 60)  # type: ignore[misc]
            took.append(time.monotonic() - begun)
    finally:
        stop.set()
        crawl.join(60)
    with capsys.disabled():
        print(f"\npost → mention: median {statistics.median(took):.2f} s, longest {max(took):.2f} s, every {INTERVAL}")
    found = texts(tmp_path)
    assert (len(found), len(set(found.values()))) == (POSTS + 1, 2)


def test_what_is_answered_to_a_mention_is_one_too(network: Network, tmp_path: Path) -> None:
    carl, dora = network.account("carl.test"), network.account("dora.test")
    root = network.post(carl, record("NordNetz hat mir heute gekündigt."))
    wait_for(lambda: crawl_once(configuration(url=network.appview), tmp_path, SystemClock())[0].items > 0, "it", 60)
    answered = _strong(network, root)
    network.post(dora, record("Mir auch, ohne jeden Grund.", reply={"root": answered, "parent": answered}))

    def read() -> bool:
        crawl_once(configuration(url=network.appview), tmp_path, SystemClock())
        return "Mir auch, ohne jeden Grund." in texts(tmp_path)

    wait_for(read, "the answer", 60)


def test_the_accounts_server_wants_a_login_and_then_searches(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emil = network.account("emil.test", "mein-app-passwort")
    network.post(emil, record("NordNetz: über den Server des Kontos gesucht."))
    [refused] = crawl_once(configuration(url=network.pds), tmp_path, SystemClock())
    assert (refused.answer, refused.state) == (Answer.GATED, SourceState.BLIND)
    assert "app password" in refused.reason
    monkeypatch.setenv("STURMWARTE_BLUESKY_PASSWORD", "mein-app-passwort")
    told = configuration(url=network.pds, account="emil.test")

    def read() -> bool:
        [report] = crawl_once(told, tmp_path, SystemClock())
        return report.complete and "NordNetz: über den Server des Kontos gesucht." in texts(tmp_path)

    wait_for(read, "the post through the account's server", 60)


def _strong(network: Network, uri: str) -> dict[str, str]:
    """Address and content id of a post, as answers name it."""
    import json
    import urllib.parse
    import urllib.request

    did, key = uri.split("/")[2], uri.split("/")[4]
    asked = urllib.parse.urlencode({"repo": did, "collection": "app.bsky.feed.post", "rkey": key})
    with urllib.request.urlopen(f"{network.pds}/xrpc/com.atproto.repo.getRecord?{asked}", timeout=30) as response:
        return {"uri": uri, "cid": json.load(response)["cid"]}
