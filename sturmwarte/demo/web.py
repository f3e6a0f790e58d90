"""The small web of the demonstration, on loopback: a forum in phpBB's markup, reviews, a newspaper, a search."""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader

from sturmwarte.demo.script import BRAND, Post, World

PER_PAGE = 10
TOPICS_PER_PAGE = 25
BOARDS = {2: "Netz und Telefon", 3: "Bus und Bahn"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a site says to one request."""

    body: str
    kind: str = "text/html; charset=utf-8"
    status: int = 200


MISSING = Answer("Nicht gefunden", status=404)
Query = dict[str, str]
Site = Callable[[str, Query, str], Answer]


class Sites:
    """The four sites, each a function of path, query and own address; they show what has been said by ``now()``."""

    def __init__(self, world: World, now: Callable[[], datetime], zone: ZoneInfo) -> None:
        self._world, self._now = world, now
        self._pages = Environment(loader=PackageLoader("sturmwarte.demo", "pages"), autoescape=True)
        self._pages.filters["account"] = lambda name: zlib.crc32(name.encode()) % 90_000 + 2
        self._pages.filters["local"] = lambda at: at.astimezone(zone).strftime("%d.%m.%Y, %H:%M")

    def forum(self, path: str, query: Query, own: str) -> Answer:
        """viewforum.php?f=N&start=N and viewtopic.php?t=N&start=N or ?p=N."""
        posts = self._said("forum")
        if path == "/viewforum.php":
            return self._board(int(query.get("f", 2)), int(query.get("start", 0)), posts)
        if path != "/viewtopic.php":
            return MISSING
        wanted = int(query.get("p", 0))
        thread = next((p.thread for p in posts if p.number == wanted), int(query.get("t", 0)))
        members = [post for post in posts if post.thread == thread]
        if not members:
            return MISSING
        place = next((n for n, post in enumerate(members) if post.number == wanted), int(query.get("start", 0)))
        return self._topic(thread, members, place - place % PER_PAGE)

    def portal(self, path: str, query: Query, own: str) -> Answer:
        """/nordnetz?seite=N: reviews, newest first, as JSON-LD."""
        if path != "/nordnetz":
            return MISSING
        posts = self._said("portal")[::-1]
        page = int(query.get("seite", 1))
        shown = posts[(page - 1) * 20 : page * 20]
        older = f"{own}/nordnetz?seite={page + 1}" if len(posts) > page * 20 else None
        return self._page(
            "reviews.html.j2", brand=BRAND, posts=shown, total=len(posts), older=older, data=_reviews(posts, shown, own)
        )

    def newspaper(self, path: str, query: Query, own: str) -> Answer:
        """/feed, /comments/feed and the articles."""
        articles = [post for post in self._said("news") if post.title]
        url = {post.thread: f"{own}/{post.at:%Y/%m}/artikel-{post.thread}/" for post in articles}
        if path == "/feed":
            entries = [_entry(url[p.thread], p, p.title, p.text[:120] + " …", "") for p in articles[::-1]]
            return self._page("feed.xml.j2", "application/rss+xml", title="Küstenblatt", url=own, entries=entries)
        if path == "/comments/feed":
            titles = {post.thread: post.title for post in articles}
            comments = [post for post in self._said("news") if not post.title][::-1][:200]
            entries = [
                _entry(
                    f"{url[p.thread]}#comment-{p.number}",
                    p,
                    f"Kommentar zu {titles[p.thread]} von {p.author}",
                    p.text,
                    p.text,
                )
                for p in comments
            ]
            title = "Kommentare für Küstenblatt"
            return self._page("feed.xml.j2", "application/rss+xml", title=title, url=own, entries=entries)
        for post in articles:
            if url[post.thread] == own + path:
                return self._page("article.html.j2", post=post)
        return MISSING

    def search(self, path: str, query: Query, own: str, *, forum: str = "") -> Answer:
        """/search?q=…&format=json, in the shape of searx: newest forum posts that contain every word."""
        if path != "/search" or query.get("format") != "json":
            return MISSING
        words = query.get("q", "").casefold().split()
        hits = [p for p in self._said("forum")[::-1] if all(word in p.text.casefold() for word in words)][:10]
        results = [
            {
                "url": f"{forum}/viewtopic.php?p={post.number}#p{post.number}",
                "title": self._world.threads[post.thread].title,
                "content": post.text[:150],
                "engine": "netzforum",
                "engines": ["netzforum"],
                "positions": [rank],
                "score": 1 / rank,
            }
            for rank, post in enumerate(hits, start=1)
        ]
        answer = {"query": query.get("q", ""), "number_of_results": len(results), "results": results}
        return Answer(json.dumps(answer | {"unresponsive_engines": []}, ensure_ascii=False), "application/json")

    def _said(self, place: str) -> list[Post]:
        return [post for post in self._world.visible(self._now()) if post.place == place]

    def _board(self, board: int, start: int, posts: Sequence[Post]) -> Answer:
        if board not in BOARDS:
            return MISSING
        last: dict[int, Post] = {}
        replies: dict[int, int] = {}
        for post in posts:
            if self._world.threads[post.thread].board == board:
                last[post.thread] = post
                replies[post.thread] = replies.get(post.thread, -1) + 1
        newest = sorted(last, key=lambda number: (last[number].at, last[number].number), reverse=True)
        rows = [
            {"thread": self._world.threads[n], "last": last[n], "replies": replies[n]}
            for n in newest[start : start + TOPICS_PER_PAGE]
        ]
        links = _neighbours(f"./viewforum.php?f={board}", start, TOPICS_PER_PAGE, len(newest))
        return self._page("board.html.j2", board=board, name=BOARDS[board], rows=rows, total=len(newest), **links)

    def _topic(self, thread: int, members: Sequence[Post], start: int) -> Answer:
        address = f"./viewtopic.php?t={thread}"
        pages = [
            {"number": n // PER_PAGE + 1, "current": n == start, "url": f"{address}&start={n}" if n else address}
            for n in range(0, len(members), PER_PAGE)
        ]
        return self._page(
            "topic.html.j2",
            thread=self._world.threads[thread],
            posts=members[start : start + PER_PAGE],
            quoted={post.number: post for post in members},
            first_page=start == 0,
            total=len(members),
            pages=pages if len(pages) > 1 else [],
            **_neighbours(address, start, PER_PAGE, len(members)),
        )

    def _page(self, template: str, kind: str = "text/html", /, **values: Any) -> Answer:
        return Answer(self._pages.get_template(template).render(**values), f"{kind}; charset=utf-8")


def _neighbours(address: str, start: int, size: int, total: int) -> dict[str, str | None]:
    return {
        "newer": f"{address}&start={start - size}" if start else None,
        "older": f"{address}&start={start + size}" if start + size < total else None,
    }


def _entry(url: str, post: Post, title: str, teaser: str, text: str) -> dict[str, Any]:
    return {"url": url, "author": post.author, "at": post.at, "title": title, "teaser": teaser, "text": text}


def _reviews(posts: Sequence[Post], shown: Sequence[Post], own: str) -> dict[str, Any]:
    mean = sum(post.stars for post in posts) / len(posts) if posts else 0
    return {
        "@context": "https://schema.org",
        "@type": "Organization",
        "name": BRAND,
        "url": f"{own}/nordnetz",
        "aggregateRating": {
            "@type": "AggregateRating", "ratingValue": round(mean, 1), "reviewCount": len(posts), "bestRating": 5,
        },
        "review": [_review(post, own) for post in shown],
    }  # fmt: skip


def _review(post: Post, own: str) -> dict[str, Any]:
    review: dict[str, Any] = {
        "@type": "Review",
        "@id": f"{own}/nordnetz/bewertung-{post.number}",
        "url": f"{own}/nordnetz/bewertung-{post.number}",
        "author": {"@type": "Person", "name": post.author},
        "datePublished": post.at.isoformat(),
        "name": post.title,
        "reviewBody": post.text,
        "reviewRating": {"@type": "Rating", "ratingValue": post.stars, "bestRating": 5, "worstRating": 1},
    }
    if post.reply:
        review["comment"] = {
            "@type": "Comment", "text": post.reply, "author": {"@type": "Organization", "name": BRAND},
        }  # fmt: skip
    return review


class Web:
    """Serves the sites on ports of 127.0.0.1 until closed."""

    def __init__(self, sites: Sites) -> None:
        self._servers: list[ThreadingHTTPServer] = []
        self.forum = self._serve(sites.forum)
        self.portal = self._serve(sites.portal)
        self.newspaper = self._serve(sites.newspaper)
        self.search = self._serve(lambda path, query, own: sites.search(path, query, own, forum=self.forum))

    def close(self) -> None:
        """Stop serving."""
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self._servers.clear()

    def _serve(self, site: Site) -> str:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
                try:
                    answer = ROBOTS if parts.path == "/robots.txt" else site(parts.path, query, own)
                except ValueError:
                    answer = Answer("Ungültige Adresse", status=400)
                body = answer.body.encode()
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        own = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._servers.append(server)
        return own


ROBOTS = Answer("User-agent: *\nAllow: /\n", "text/plain; charset=utf-8")
