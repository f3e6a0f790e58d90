"""A new page that Debian's searx finds becomes a mention in the store, and its result list is compared."""

import json
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from clocks import RunningClock
from loopback import loopback
from servers import searx

from crawlers.service import crawl_once
from pipeline.configuration import Configuration, StoreTable
from pipeline.query.tree import EVERYTHING
from pipeline.ranks import comparisons, judge_of
from pipeline.state.opening import open_state
from pipeline.store.opening import open_store

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]
START = datetime(2026, 11, 22, 6, tzinfo=UTC)


def post(number: int) -> dict[str, object]:
    title, said = f"Küstenbahn, Bericht {number}", f"Die Küstenbahn fiel zum {number}. Mal aus."
    return {
        "link": f"https://pendler.example/bericht-{number}/",
        "title": {"rendered": title},
        "excerpt": {"rendered": f"<p>{said}</p>"},
    }


def test_a_new_page_becomes_a_mention(tmp_path, capsys):
    posts = [post(1), post(2)]

    def blog(path: str, query: dict[str, str]) -> tuple[int, str, bytes]:
        return 200, "application/json", json.dumps(posts).encode()

    data = tmp_path / "data"
    data.mkdir()
    with loopback(blog) as web, searx(tmp_path / "searx", web.url) as search:
        settings = Configuration.model_validate(
            {
                "contact": "test@example.org",
                "brands": {"kuestenbahn": {"name": "Küstenbahn"}},
                "sources": {"suche": {"spider": "searxng", "url": search, "queries": ["Küstenbahn"]}},
                "crawl": {"delay": 0, "allow_private": ["127.0.0.1"]},
            }
        )
        crawl_once(settings, data, RunningClock(START))
        posts.insert(0, post(3))
        begun = time.monotonic()
        crawl_once(settings, data, RunningClock(START + timedelta(hours=1)))
        seconds = time.monotonic() - begun
    with closing(open_store(data, StoreTable(), clock=RunningClock(START))) as store:
        urls = {mention.crawled.url for mention in store.scan(EVERYTHING)}
    assert urls == {f"https://pendler.example/bericht-{number}/" for number in (1, 2, 3)}
    with closing(open_state(data)) as state, state.read() as connection:
        [found] = comparisons(connection, judge_of(settings, None, START))
    assert {place.position for place in found.places} == {1, 2, 3}
    # the first list lacked an engine, which searx has suspended since and no longer names: nothing to compare with
    assert (found.reason, found.before) == ("first", None)
    with capsys.disabled():
        print(f"\nsearx: from a new page to a mention in {seconds:.1f} s")
