"""Sources with ``js = true``: a real Chromium fills the page, and asks for nothing that we would not ask for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from servers import needs

from crawlers.parsing import PageFile, Parsed, ParsedItem
from crawlers.select import select, tree_of
from crawlers.spider import SourceSpider
from crawlers.text import one_line
from pipeline.item import Item
from pipeline.state.tables import fetch
from pipeline.words import Answer, Channel, Kind, Reading, SourceState

pytestmark = pytest.mark.browser
PAGE = b"""<html><body><main id="posts">Wird geladen</main><img src="/pixel.png"><script src="/app.js"></script>
<iframe src="/frame.html"></iframe></body></html>"""
APP = """
async function text(url, options) {
  try { return await (await fetch(url, options)).text() } catch (error) { return "verwehrt" }
}
async function fill() {
  const parts = [await text("/posts.txt"), await text("/private/secret.txt"),
    await text("http://127.0.0.2:SITE/inside.txt"), await text("http://127.0.0.3/", {method: "POST", body: "x"})];
  document.getElementById("posts").innerHTML = parts.map(part => `<p>${part}</p>`).join("");
}
fill();
new WebSocket("ws://127.0.0.1:SITE/socket");
"""


def parse(page: PageFile) -> Parsed:
    items = [
        ParsedItem(kind=Kind.POST, id=f"p{number}", text=one_line(element))
        for number, element in enumerate(select(tree_of(page), "#posts p"))
    ]
    return Parsed(state=Answer.OK if items else Answer.EMPTY, items=tuple(items))


class ShellSpider(SourceSpider):
    name = "shell"
    platform = "shell"
    channel = Channel.FORUM
    parser: ClassVar[Any] = staticmethod(parse)

    def parse(self, response: Any, **kwargs: Any) -> Iterator[Item]:
        parsed = self.read(response)
        for item in parsed.items:
            yield self.item(item, parsed, response, reading=Reading.FULL, native_id=item.id)
        self.visit.complete = True


@pytest.fixture
def shell(world: Any, pages: Any) -> Any:
    """A site whose page is empty until its script has run."""
    site = world.site
    port = site.url.rpartition(":")[2]
    html, plain = {"Content_Type": "text/html; charset=utf-8"}, {"Content_Type": "text/plain; charset=utf-8"}
    script = {"Content_Type": "text/javascript"}
    site.pages |= {
        "/list": pages.reply(PAGE, **html),
        "/app.js": pages.reply(APP.replace("SITE", port).encode(), **script),
        "/posts.txt": pages.reply("Störung seit Stunden".encode(), **plain),
        "/private/secret.txt": pages.reply(b"geheim", **plain),
        "/frame.html": pages.reply(b"<p>Rahmen</p>", **html),
        "/pixel.png": pages.reply(b"x", Content_Type="image/png"),
        "/robots.txt": pages.reply(b"User-agent: *\nDisallow: /private/", Content_Type="text/plain"),
    }
    world.spiders = {"shell": ShellSpider}
    world.sources["board"] = {"spider": "shell", "url": f"{site.url}/list", "js": True}
    return world


def test_the_page_fills_itself_with_what_may_be_read(shell: Any) -> None:
    needs("chromium", "chromium")
    report = shell.visit()
    texts = [item.text for item in shell.pipeline.items.values()]
    assert texts == ["Störung seit Stunden", "verwehrt", "verwehrt", "verwehrt"]
    assert shell.site.paths() == ["/list", "/app.js", "/posts.txt"]
    assert shell.site.most_open == 1
    agents = {headers["User-Agent"] for headers in shell.site.headers}
    assert all(agent.startswith("Sturmwarte/") for agent in agents)
    assert (report.complete, report.answer) == (True, Answer.OK)
    with shell.state.read() as connection:
        told = {row.url.rpartition("/")[2]: row.reason for row in connection.execute(sa.select(fetch))}
    assert "robots.txt forbids" in told["secret.txt"]
    assert "not a public address" in told["inside.txt"]


def test_a_challenge_is_never_run(shell: Any, pages: Any) -> None:
    challenge = b"<html><title>Just a moment...</title><script src='/app.js'></script></html>"
    shell.site.pages["/list"] = pages.reply(challenge, Content_Type="text/html")
    report = shell.visit()
    assert (report.answer, report.state) == (Answer.CHALLENGE, SourceState.BLIND)
    assert shell.site.paths() == ["/list"]


def test_without_a_browser_the_source_says_so(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    report = shell.visit()
    assert (report.complete, report.items) == (False, 0)
    assert "Chromium" in report.reason
    shell.crawl["browser"] = str(Path("/nowhere/chromium"))
    assert "[crawl] browser" in shell.visit().reason
