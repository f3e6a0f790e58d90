"""News sitemaps: what is new in them is read, once, oldest first, and no more than a visit may."""

import gzip
from pathlib import Path

import pytest
from rehearsal import Source, page

from crawlers.spiders.sitemap import SitemapSpider, parse
from pipeline.words import Answer, Kind, Reading

PAGES = Path(__file__).parent / "pages"
NEWS, INDEX = ((PAGES / f"sitemap_{name}.xml").read_bytes() for name in ("news", "index"))
WORDS = "Seit dem frühen Morgen sind im Norden viele Anschlüsse ausgefallen, sagt ein Sprecher der Firma. " * 5


def article(url: str) -> bytes:
    title = url.rstrip("/").rpartition("/")[2]
    return f"<html lang='de'><body><article><h1>{title}</h1><p>{WORDS}</p></article></body></html>".encode()


class Paper:
    """A newspaper whose index leads to a packed news sitemap."""

    def __init__(self) -> None:
        self.news, self.broken = NEWS, dict[str, int]()

    def __call__(self, url: str) -> bytes | int:
        if url in self.broken:
            return self.broken[url]
        if url.endswith("/sitemap.xml"):
            return INDEX
        return gzip.compress(self.news) if url.endswith(".gz") else article(url)

    def publish(self, name: str, time: str) -> None:
        entry = f"<url><loc>https://bote.example/{name}/</loc><lastmod>{time}</lastmod></url></urlset>"
        self.news = self.news.replace(b"</urlset>", entry.encode())


def source(**over) -> Source:
    return Source(SitemapSpider, "https://bote.example/sitemap.xml", **over)


def test_rows_with_the_time_of_publication_before_that_of_the_change():
    parsed = parse(page(gzip.compress(NEWS)))
    assert [(row.url[-10:], row.title, row.last_time.isoformat()) for row in parsed.threads] == [
        ("/stoerung/", "Störung im Norden", "2026-11-22T05:30:00+01:00"),
        ("6/11/netz/", "", "2026-11-21T08:00:00+01:00"),
    ]
    assert [row.url for row in parse(page(INDEX)).boards] == [
        "https://bote.example/news.xml.gz",
        "https://bote.example/2019.xml",
    ]


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (b"", Answer.ERROR),
        (b"<html></html>", Answer.ERROR),
        (b"\x1f\x8bkaputt", Answer.ERROR),
        (b"<urlset></urlset>", Answer.EMPTY),
        (b"<urlset><url><loc>nichts:</loc></url>", Answer.EMPTY),
        (b"<urlset" + b"<a>" * 100_000, Answer.EMPTY),
    ],
)
def test_other_answers(body, state):
    assert parse(page(body)).state is state


def test_new_articles_are_read_once():
    paper, bote = Paper(), source()
    first = bote.visit(paper)
    assert first.ids == ["https://bote.example/2026/11/netz/", "https://bote.example/2026/11/stoerung/"]
    assert {(item.kind, item.reading) for item in first.items} == {(Kind.ARTICLE, Reading.FULL)}
    assert first.items[1].published.at.isoformat() == "2026-11-22T05:30:00+01:00"
    assert "https://bote.example/2019.xml" not in first.asked
    assert first.complete
    assert bote.visit(paper).ids == []
    paper.publish("entschuldigung", "2026-11-22T08:00:00+01:00")
    later = bote.visit(paper)
    assert (later.ids, later.complete) == (["https://bote.example/entschuldigung/"], True)


def test_a_changed_article_is_read_again():
    paper, bote = Paper(), source()
    bote.visit(paper)
    paper.news = paper.news.replace(b"2026-11-21T08:00:00", b"2026-11-22T08:10:00")
    assert bote.visit(paper).ids == ["https://bote.example/2026/11/netz/"]


def test_the_cap_leaves_the_rest_for_the_next_visit():
    paper, bote = Paper(), source(max_pages=1)
    first = bote.visit(paper)
    assert (first.ids, first.visit.behind, bote.watermark) == (["https://bote.example/2026/11/netz/"], True, None)
    assert bote.visit(paper).ids == ["https://bote.example/2026/11/stoerung/"]


class Library(Paper):
    """A newspaper with many maps of one article each, all changed today or without a time of change."""

    def __init__(self, maps: int, time: str = "2026-11-22T08:00:00+01:00") -> None:
        super().__init__()
        self.times = dict.fromkeys(range(maps), time)

    def __call__(self, url: str) -> bytes | int:
        path = url.removeprefix("https://bote.example/")
        if url in self.broken:
            return self.broken[url]
        if path == "sitemap.xml":
            maps = "".join(_entry("sitemap", f"{number}.xml", time) for number, time in self.times.items())
            return f"<sitemapindex>{maps}</sitemapindex>".encode()
        if path.endswith(".xml"):
            number = int(path.removesuffix(".xml"))
            return f"<urlset>{_entry('url', f'artikel-{number}/', self.times[number])}</urlset>".encode()
        return article(url)


def _entry(tag: str, path: str, time: str) -> str:
    changed = f"<lastmod>{time}</lastmod>" if time else ""
    return f"<{tag}><loc>https://bote.example/{path}</loc>{changed}</{tag}>"


@pytest.mark.parametrize("time", ["2026-11-22T08:00:00+01:00", ""])
def test_more_maps_than_a_visit_reads_are_read_by_the_next_ones(time):
    paper, bote = Library(25, time), source()
    begun, runs = bote.now, [bote.visit(paper)]
    assert (len(runs[0].items), runs[0].visit.behind, runs[0].complete) == (10, True, False)
    assert runs[0].visit.reason == "the limit of pages per visit was reached; the next visit goes on"
    runs += [bote.visit(paper), bote.visit(paper)]
    assert [(len(run.items), run.complete) for run in runs[1:]] == [(10, False), (5, True)]
    assert {item.native_id for run in runs for item in run.items} == {
        f"https://bote.example/artikel-{number}/" for number in range(25)
    }
    assert [run.visit.reached for run in runs] == [None, None, begun]  # maps read first may have changed since
    assert "maps" not in bote.cursor


def test_a_map_that_changes_while_others_wait_is_read_again():
    paper, bote = Library(15), source()
    bote.visit(paper)
    first = next(
        number for number in range(15) if f"https://bote.example/{number}.xml" not in bote.cursor["maps"]["left"]
    )
    paper.times[first] = "2026-11-22T08:20:00+01:00"
    second = bote.visit(paper)
    assert (len(second.items), second.complete) == (6, True)
    assert f"https://bote.example/artikel-{first}/" in second.ids


def test_a_map_with_articles_left_or_lost_is_not_over():
    paper, bote = Library(13), source(max_pages=5)
    paper.broken = {"https://bote.example/artikel-12/": 500}
    runs = [bote.visit(paper) for _ in range(3)]
    assert not any(run.complete for run in runs)
    paper.broken = {}
    while not runs[-1].complete:
        assert len(runs) < 9
        runs.append(bote.visit(paper))
    found = {name for run in runs for name in run.ids}
    assert found == {f"https://bote.example/artikel-{number}/" for number in range(13)}


def test_maps_nobody_will_ever_read_are_said(monkeypatch):
    monkeypatch.setattr("crawlers.spiders.sitemap.REMEMBERED", 12)
    assert source().visit(Library(25)).visit.reason == "3 sitemaps go unread: their index names too many"


def test_what_is_lost_and_what_is_gone():
    paper, bote = Paper(), source()
    paper.broken = {"https://bote.example/2026/11/netz/": 404, "https://bote.example/2026/11/stoerung/": 429}
    run = bote.visit(paper)
    assert (run.ids, run.complete, len(run.lost), bote.watermark) == ([], False, 1, None)
    paper.broken = {"https://bote.example/news.xml.gz": 401}
    run = bote.visit(paper)
    assert (run.lost, run.complete) == ([], True)  # the index names a map that is no more for us
    paper.broken = {"https://bote.example/sitemap.xml": 401}
    run = bote.visit(paper)
    assert (run.lost[0].answer, run.complete) == (Answer.GATED, False)


def test_what_stands_before_a_paywall_is_a_teaser():
    paid = b'{"@type": "NewsArticle", "headline": "x", "isAccessibleForFree": false}'

    def paper(url: str) -> bytes:
        if url.endswith(".xml"):
            return NEWS
        return article(url).replace(b"<body>", b'<body><script type="application/ld+json">' + paid + b"</script>")

    assert {item.reading for item in source().visit(paper).items} == {Reading.FEED}
