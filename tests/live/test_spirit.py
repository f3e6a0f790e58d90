"""From a post in a real forum that no spider knows to a mention in the store: Spirit, read by its shape alone."""

from __future__ import annotations

import statistics
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from spirit import spirit

from crawlers.service import crawl_once
from pipeline.clock import SystemClock
from pipeline.configuration import Configuration, StoreTable
from pipeline.query.tree import EVERYTHING
from pipeline.store.opening import open_store

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

POSTS = 6
TOPIC = "Nordstrom: Abschlag ohne Ankündigung verdoppelt"
OTHERS = ("Zähler zeigt nichts an", "Wärmepumpe: lohnt sich das?", "Lob für die Hotline")
SAID = "Bei mir ging es Nummer {n} genauso: die Nordstrom bucht einfach ab, der Dienst ist eine Frechheit."


def configuration(url: str) -> Configuration:
    return Configuration.model_validate(
        {
            "contact": "test@example.org",
            "zone": "UTC",
            "brands": {"nordstrom": {"name": "Nordstrom"}},
            "sources": {"forum": {"spider": "forum", "url": url, "interval": "1m"}},
            "crawl": {"delay": 0, "allow_private": ["127.0.0.1"]},
        }
    )


def mentions(folder: Path) -> dict[str, Any]:
    """Text → mention of everything in the store."""
    with closing(open_store(folder, StoreTable(), clock=SystemClock(), read_only=True)) as store:
        return {mention.crawled.text: mention for mention in store.scan(EVERYTHING)}


def test_a_new_post_in_an_unknown_forum_is_a_mention(tmp_path: Path, capsys: Any) -> None:
    data = tmp_path / "data"
    now = time.time()
    with spirit(tmp_path) as forum:
        for number in range(27):  # two pages, an hour apart
            at = now - 3600 * (30 - number)
            text = f"Beitrag {number}: mein Abschlag ist auch gestiegen, die Nordstrom erklärt nichts."
            forum.post(TOPIC, f"Person {number % 5}", text, at)
        for title in OTHERS:
            forum.post(title, "Ole Jensen", "Hier geht es um etwas ganz anderes, aber auch um Strom.", now - 7200)
        told = configuration(f"{forum.url}/")
        [report] = crawl_once(told, data, SystemClock())
        assert (report.complete, report.items, report.reason) == (True, 30, "")
        found = mentions(data)
        assert len(found) == 27
        first = found["Beitrag 0: mein Abschlag ist auch gestiegen, die Nordstrom erklärt nichts."]
        assert abs(first.event_time.timestamp() - (now - 3600 * 30)) < 60
        assert len({mention.crawled.author for mention in found.values()}) == 5

        took = []
        for number in range(POSTS):
            begun = time.monotonic()
            forum.post(TOPIC, f"Person {number}", SAID.format(n=number), time.time())
            [report] = crawl_once(told, data, SystemClock())
            found = mentions(data)
            took.append(time.monotonic() - begun)
            assert SAID.format(n=number) in found
            assert (report.complete, report.items) == (True, 1), "what is known is not read again"
        [idle] = crawl_once(told, data, SystemClock())
    assert (idle.complete, idle.items) == (True, 0)
    assert len(found) == 27 + POSTS
    with capsys.disabled():
        print(
            f"\npost → mention in an unknown forum: median {statistics.median(took):.2f} s, longest {max(took):.2f} s"
        )
