"""The script of the demonstration: who writes what, where and when. Same seed, same world."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sturmwarte.demo import texts

BRAND, TRAINS = "Nordnetz", "Küstenbahn"
QUIET_DAYS = 14


@dataclass(frozen=True, slots=True)
class Post:
    """One post of the forum, one review, one comment or one article. ``place`` is forum, portal or news."""

    place: str
    number: int
    thread: int
    author: str
    at: datetime
    text: str
    title: str = ""
    stars: int = 0
    quotes: int | None = None
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Thread:
    """A topic of the forum (board 2: network, 3: trains) or an article of the newspaper."""

    number: int
    title: str
    board: int


@dataclass(frozen=True, slots=True)
class World:
    """All that will ever be said, oldest first; what lies ahead of the clock is not shown yet."""

    threads: dict[int, Thread]
    posts: tuple[Post, ...]

    def visible(self, now: datetime) -> Iterator[Post]:
        """What has been said by now."""
        return (post for post in self.posts if post.at <= now)


def write(start: datetime, *, storm_at: datetime | None, until: datetime, seed: int = 7) -> World:
    """The world from 14 days before ``start`` to ``until``; without ``storm_at`` no storm comes."""
    return _Writer(seed).write(start - timedelta(days=QUIET_DAYS), until, storm_at)


class _Writer:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._threads: dict[int, Thread] = {}
        self._drafts: list[tuple[datetime, str, int, str, str, str, int]] = []
        self._people = [f"{first}_{last}" for first in texts.FIRST for last in texts.LAST]
        self._random.shuffle(self._people)

    def write(self, begin: datetime, until: datetime, storm_at: datetime | None) -> World:
        self._open_threads(2, texts.TOPICS, BRAND)
        self._open_threads(3, texts.TRAIN_TOPICS, TRAINS)
        published = [begin + timedelta(days=3 * n, hours=2) for n in range(4)]
        self._articles(texts.ARTICLES, published)
        self._quiet(begin, until, published)
        if storm_at is not None:
            self._storm(storm_at)
        return World(self._threads, tuple(self._numbered()))

    def _open_threads(self, board: int, titles: Sequence[str], brand: str) -> list[int]:
        numbers = []
        for title in titles:
            number = len(self._threads) + 1
            self._threads[number] = Thread(number, title.format(brand=brand), board)
            numbers.append(number)
        return numbers

    def _quiet(self, begin: datetime, until: datetime, published: Sequence[datetime]) -> None:
        regulars = self._people[:90]
        at = begin
        while at < until:
            by_day = 7 <= at.hour < 22
            at += timedelta(hours=self._random.expovariate(2.6 if by_day else 0.35))
            who, chance = self._random.choice(regulars), self._random.random()
            if chance < 0.62:
                self._say(at, "forum", self._topic(2, at - begin), who, self._network_talk())
            elif chance < 0.8:
                self._say(at, "forum", self._topic(3, at - begin), who, self._train_talk())
            elif chance < 0.83 and at > published[0]:
                article = self._topic(0, timedelta(0)) + sum(at > day for day in published[1:])
                self._say(at, "news", article, who, self._network_talk())
            else:
                self._review(at, who)

    def _topic(self, board: int, since: timedelta) -> int:
        """A thread of a board. The first one falls asleep after half a day, and its board is read back to there."""
        first, *others = [n for n, thread in self._threads.items() if thread.board == board]
        return first if since < timedelta(hours=12) else self._random.choice(others)

    def _review(self, at: datetime, who: str) -> None:
        stars = self._random.choice((5, 5, 4, 4, 3, 2))
        text = self._network_talk() if stars > 2 else self._grumble()
        title = self._random.choice(texts.REVIEW_TITLES_GOOD if stars > 2 else ("Na ja", "Geht besser"))
        self._say(at, "portal", 0, who, text, title, stars)

    def _storm(self, start: datetime) -> None:
        """It begins with an outage, grows for two hours, ebbs away over the day."""
        threads = self._open_threads(2, texts.STORM_TOPICS, BRAND)
        self._articles(texts.STORM_ARTICLES, [start + timedelta(minutes=m) for m in (24, 55)])
        article = len(self._threads) - 1
        for index, who in enumerate(self._people[90:270]):
            minute = 150 * (index / 180) ** 0.8 if index < 150 else 150 + 12 * (index - 150)
            at = start + timedelta(minutes=minute + self._random.random())
            chance, text = self._random.random(), self._outcry(name=self._random.random() < 0.75)
            if chance < 0.6:
                self._say(at, "forum", self._random.choice(threads), who, text)
            elif chance < 0.8 or minute < 25:
                self._say(at, "portal", 0, who, text, self._random.choice(texts.REVIEW_TITLES_BAD), 1)
            else:
                self._say(at, "news", article, who, text)

    def _articles(self, articles: Sequence[tuple[str, str]], times: Sequence[datetime]) -> None:
        for (title, text), at in zip(articles, times, strict=True):
            number = len(self._threads) + 1
            self._threads[number] = Thread(number, title.format(brand=BRAND), 0)
            self._say(at, "news", number, "Redaktion", text.format(brand=BRAND), title.format(brand=BRAND))

    def _say(self, at: datetime, place: str, thread: int, who: str, text: str, title: str = "", stars: int = 0) -> None:
        self._drafts.append((at.replace(second=0, microsecond=0), place, thread, who, text, title, stars))

    def _numbered(self) -> Iterator[Post]:
        last_in_thread: dict[int, int] = {}
        for number, (at, place, thread, who, text, title, stars) in enumerate(sorted(self._drafts), start=101):
            quotes = last_in_thread.get(thread) if place == "forum" and self._random.random() < 0.2 else None
            reply = texts.OWNER_REPLY.format(brand=BRAND) if stars == 2 else ""
            yield Post(place, number, thread, who, at, text, title, stars, quotes, reply)
            last_in_thread[thread] = number

    def _pick(self, *parts: Sequence[str], brand: str) -> str:
        return " ".join(self._random.choice(part) for part in parts).format(brand=brand)

    def _network_talk(self) -> str:
        if self._random.random() < 0.12:
            return self._grumble()
        return self._pick(
            texts.QUIET_OPENINGS, texts.QUIET_DETAILS, texts.QUIET_DETAILS, texts.QUIET_CLOSINGS, brand=BRAND
        )

    def _grumble(self) -> str:
        return self._pick(texts.GRUMBLES, texts.QUIET_CLOSINGS, brand=BRAND)

    def _train_talk(self) -> str:
        return self._pick(texts.TRAIN_OPENINGS, texts.TRAIN_DETAILS, texts.TRAIN_DETAILS, brand=TRAINS)

    def _outcry(self, *, name: bool) -> str:
        opening = texts.STORM_OPENINGS if name else ("Bei uns genauso.", "Hier dasselbe.", "Kann ich nur bestätigen.")
        return self._pick(opening, texts.STORM_DETAILS, texts.STORM_DETAILS, texts.STORM_CLOSINGS, brand=BRAND)
