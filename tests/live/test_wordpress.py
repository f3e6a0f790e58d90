"""Articles and comments of a real WordPress by its REST interface, from a post to the store and no further twice."""

import statistics
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from servers import wordpress

from crawlers.service import crawl_once
from pipeline.clock import SystemClock
from pipeline.configuration import Configuration, StoreTable
from pipeline.query.tree import EVERYTHING
from pipeline.store.opening import open_store
from pipeline.words import Kind

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]

TITLE = "Was die Küstenbahn plant"
COMMENTS = 120
"""More than two pages of the interface."""
NEW = 5


def configuration(url: str) -> Configuration:
    return Configuration.model_validate(
        {
            "contact": "test@example.org",
            "zone": "Europe/Berlin",
            "brands": {"kuestenbahn": {"name": "Küstenbahn"}},
            "sources": {"blog": {"spider": "wordpress", "url": url}},
            "crawl": {"delay": 0, "allow_private": ["127.0.0.1"]},
        }
    )


def mentions(folder: Path) -> dict[str, Any]:
    """Text → mention of everything in the store."""
    with closing(open_store(folder, StoreTable(), clock=SystemClock(), read_only=True)) as store:
        return {mention.crawled.text: mention for mention in store.scan(EVERYTHING)}


@pytest.mark.parametrize("permalinks", ["/%year%/%monthnum%/%postname%/", ""], ids=["permalinks", "?rest_route="])
def test_articles_and_comments_are_mentions_once(open_folder: Path, permalinks: str, capsys: Any) -> None:
    data, now = open_folder / "data", time.time()
    with wordpress(open_folder / "wp") as blog:
        blog.option("permalink_structure", permalinks)
        article = blog.post(TITLE, "Die Küstenbahn plant einen neuen Fahrplan.", now - 10 * 86400)
        said = [
            (f"Gast {n % 7}", f"Wort {n} zur Küstenbahn: so geht es nicht.", now - 3600 * (COMMENTS - n))
            for n in range(COMMENTS)
        ]
        blog.comments(article, said)
        told = configuration(f"{blog.url}/")
        [first] = crawl_once(told, data, SystemClock())
        assert (first.complete, first.items, first.reason) == (True, COMMENTS + 1, "")
        found = mentions(data)
        assert len(found) == COMMENTS + 1
        opening = found["Die Küstenbahn plant einen neuen Fahrplan."].crawled
        assert (opening.kind, opening.title) == (Kind.ARTICLE, TITLE)
        for _, text, at in said:
            assert found[text].crawled.kind is Kind.COMMENT
            assert found[text].crawled.thread == opening.thread
            assert abs(found[text].event_time.timestamp() - at) < 2
            assert found[text].crawled.thread == opening.thread
        assert len({found[text].crawled.author for _, text, _ in said}) == 7

        took = []
        for number in range(NEW):
            text = f"Neu {number}: die Küstenbahn war heute pünktlich, danke!"
            begun = time.monotonic()
            blog.comments(article, [("Wiebke Moor", text, time.time())])
            [report] = crawl_once(told, data, SystemClock())
            assert text in mentions(data)
            took.append(time.monotonic() - begun)
            assert (report.complete, report.items) == (True, 1), "what is known is not read again"
        [idle] = crawl_once(told, data, SystemClock())
    assert (idle.complete, idle.items) == (True, 0)
    with capsys.disabled():
        print(f"\ncomment → mention in a WordPress: median {statistics.median(took):.2f} s, longest {max(took):.2f} s")
