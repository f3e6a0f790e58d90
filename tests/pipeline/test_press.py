"""The watch list of journalists: who is known by what, and that the mark reaches searches and rules."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from building import mention

from pipeline.build import build_pipeline
from pipeline.clock import ManualClock
from pipeline.configuration import Configuration, Journalist
from pipeline.item import Item, Published
from pipeline.mention import join
from pipeline.press import Watchlist
from pipeline.query.evaluate import matches
from pipeline.query.parse import parse
from pipeline.rows import mention_row
from pipeline.state.opening import open_state
from pipeline.store.opening import open_store
from pipeline.words import Channel, Kind, Precision, Reading

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
LIST = Watchlist(
    {
        "kern": Journalist(
            name="Eva Kern",
            names=("Eva Kern-Öz",),
            accounts=("@EvaKern@social.example", "evakern"),
            outlets=("bote.example/kolumne",),
        ),
        "anton": Journalist(name="Anton Maß"),
        "blatt": Journalist(name="Das Blatt", outlets=("https://www.blatt.example/",), whole=True),
        "feed": Journalist(name="Niemand", sources=("spalte",)),
    }
)


def item(url: str = "https://bote.example/kolumne/1", **over: Any) -> Item:
    values: dict[str, Any] = {
        "source": "zeitung",
        "platform": "feed",
        "channel": Channel.NEWS,
        "kind": Kind.ARTICLE,
        "reading": Reading.FULL,
        "origin": url.split("/")[2].removeprefix("www."),
        "native_id": url,
        "fetched": NOW,
        "url": url,
        "text": "Die Telekom antwortet nicht.",
        "published": Published(at=NOW, precision=Precision.MINUTE),
    }
    return Item(**(values | over))


@pytest.mark.parametrize(
    ("found", "listed"),
    [
        (item(author="Eva Kern"), True),
        (item(author="Von Eva Kern und Jan Lang, Köln"), True),
        (item(author="EVA KERN-ÖZ / dpa"), True),
        (item(author="Eva Kernig"), False),
        (item(author=None), False),
        (item("https://bote.example/sport/1", author="Eva Kern"), False),
        (item("https://bote.example/kolumnen/1", author="Eva Kern"), False),
        (item("https://unbekannt.example/1", author="Eva Kern"), False),
        (item("https://unbekannt.example/1", author="Anton Maß"), True),
        (item("https://forum.example/1", author="Anton Maß", kind=Kind.POST, channel=Channel.FORUM), False),
        (item(author="Eva Kern", kind=Kind.COMMENT), False),
        (item("https://social.example/1", author="EvaKern@social.example", channel=Channel.SOCIAL), True),
        (item("https://x.example/1", author="Eva", author_id="@evakern", channel=Channel.SOCIAL), True),
        (item("https://x.example/1", author="Anton Maß", channel=Channel.SOCIAL), False),
        (item("https://magazin.blatt.example/1", author="Irgendwer"), True),
        (item("https://blatt.example/1", kind=Kind.COMMENT), False),
        (item("https://anderesblatt.example/1"), False),
        (item("https://irgendwo.example/1", source="spalte", kind=Kind.POST), True),
    ],
)
def test_who_is_known_by_what(found: Item, listed: bool) -> None:
    assert LIST(found) is listed


def test_one_article_from_the_list_is_found_and_the_same_text_from_an_unknown_blog_is_not(tmp_path: Path) -> None:
    configuration = Configuration.model_validate(
        {
            "brands": {"telekom": {"name": "Telekom"}},
            "journalists": {"kern": {"name": "Eva Kern", "outlets": ["bote.example"]}},
        }
    )
    clock = ManualClock(NOW)
    state, store = open_state(tmp_path), open_store(tmp_path, configuration.store, clock=clock)
    pipeline = build_pipeline(configuration, store, state, folder=tmp_path, clock=clock)
    pipeline.feed([item(author="Eva Kern"), item("https://blog.example/1", author="Eva Kern")])
    found = store.search(parse("is:press", now=NOW, zone=ZoneInfo("UTC")), limit=9).mentions
    assert [one.crawled.url for one in found] == ["https://bote.example/kolumne/1"]
    assert mention_row(found[0])["press"] is True
    pipeline.close()
    state.close()


def test_the_mark_stays_whichever_source_told_it() -> None:
    told, silent = mention(source="spalte", press=True), mention(source="forum")
    assert join(join(None, told), silent).press
    assert join(join(None, silent), told).press
    wanted = parse("is:press", now=NOW, zone=ZoneInfo("UTC"))
    assert matches(wanted.root, told) and not matches(wanted.root, silent)
