"""What a mention store means, in plain Python: lists and dicts, no index. Stores are held against it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from pipeline.clock import Clock
from pipeline.mention import Mention, Opinion, effective_opinions, join, same_content, without_text
from pipeline.query.evaluate import field_values, matches
from pipeline.query.tree import All, OneOpinion, Query
from pipeline.store.protocol import BIN, Cell, Facet, Persons, Revision, Window, Written
from pipeline.store.significance import Term, ranked
from pipeline.words import Kind, ToneLabel, Voice


def order(mention: Mention) -> tuple[int, str]:
    return (-int(mention.event_time.timestamp() // 1), mention.uid)


class ModelStore:
    """Every mention is its list of revisions."""

    def __init__(self, clock: Clock, retention: timedelta | None = None) -> None:
        self.clock, self.retention = clock, retention
        self.revisions: dict[str, list[Revision]] = {}
        self.erased: set[str] = set()
        self.aliases: dict[str, str] = {}

    def current(self) -> list[Mention]:
        return sorted((known[-1].mention for known in self.revisions.values()), key=order)

    def write(self, batch: Sequence[Mention]) -> Written:
        now = self.clock.now()
        created, revised, unchanged, refused = [], [], [], []
        for uid in dict.fromkeys(mention.uid for mention in batch):
            given = [mention for mention in batch if mention.uid == uid]
            if uid in self.erased:
                refused.append((uid, "erased"))
            elif self.retention and any(mention.event_time < now - self.retention for mention in given):
                refused.append((uid, "older than the retention"))
            elif uid not in self.revisions:
                self._add(uid, self._joined(None, given), 1, now)
                created.append(uid)
            elif self._revise(uid, given, now):
                revised.append(uid)
            else:
                unchanged.append(uid)
        return Written(
            created=tuple(created), revised=tuple(revised), unchanged=tuple(unchanged), refused=tuple(refused)
        )

    def _joined(self, known: Mention | None, given: list[Mention]) -> Mention:
        for mention in given:
            known = join(known, mention)
        assert known is not None
        return known

    def _add(self, uid: str, mention: Mention, number: int, now: datetime) -> None:
        mention = replace(mention, revision=number, known_from=now)
        self.revisions.setdefault(uid, []).append(Revision(mention=mention, known_from=now, known_to=None))

    def _revise(self, uid: str, given: list[Mention], now: datetime) -> bool:
        known = self.revisions[uid]
        old = known[-1].mention
        new = self._joined(old, given)
        if same_content(old, new):
            known[-1] = replace(known[-1], mention=new)
            return False
        known[-1] = replace(known[-1], known_to=now)
        if new.deleted_at is not None and old.deleted_at is None:
            known[:] = [replace(r, mention=without_text(r.mention)) for r in known]
        self._add(uid, new, old.revision + 1, now)
        return True

    def get(self, uids: Sequence[str], *, as_of: datetime | None = None) -> dict[str, Mention]:
        return {mention.uid: mention for mention in self._known(as_of) if mention.uid in uids}

    def refresh(self) -> None:
        """Nothing is ever hidden here."""

    def history(self, uid: str) -> list[Revision]:
        return list(self.revisions.get(uid, ()))

    def _known(self, as_of: datetime | None) -> list[Mention]:
        if as_of is None:
            return self.current()
        at = min(as_of, self.clock.now() - timedelta(seconds=10))
        every = (revision for known in self.revisions.values() for revision in known)
        valid = [r.mention for r in every if r.known_from <= at and (r.known_to is None or at < r.known_to)]
        return sorted(valid, key=order)

    def hits(
        self,
        query: Query,
        start: datetime | None = None,
        end: datetime | None = None,
        as_of: datetime | None = None,
    ) -> list[Mention]:
        return [
            mention
            for mention in self._known(as_of)
            if (start is None or start <= mention.event_time)
            and (end is None or mention.event_time < end)
            and matches(query.root, mention)
        ]

    def count(self, query: Query, *, as_of: datetime | None = None) -> tuple[int, int]:
        hits = self.hits(query, as_of=as_of)
        return len(hits), len({self.person(mention) for mention in hits})

    def person(self, mention: Mention) -> str:
        return mention.crawled.author or f"story:{self.story(mention)}"

    def story(self, mention: Mention) -> str:
        return self.root(mention.story or mention.uid)

    def root(self, story: str) -> str:
        while story in self.aliases:
            story = self.aliases[story]
        return story

    def join_stories(self, older: str, newer: str) -> None:
        if self.root(older) != self.root(newer):
            self.aliases[self.root(newer)] = self.root(older)

    def story_members(self, story: str) -> list[str]:
        root = self.root(story)
        return [m.uid for m in reversed(self.current()) if self.story(m) == root]

    def facets(self, query: Query, field: str, limit: int = 20) -> list[Facet]:
        posts: Counter[str] = Counter()
        people: defaultdict[str, set[str]] = defaultdict(set)
        for mention in self.hits(query):
            for value in set(self._facet_values(query, mention, field)):
                posts[value] += 1
                people[value].add(self.person(mention))
        ranked = sorted(posts, key=lambda value: (-posts[value], value))
        return [Facet(value=value, posts=posts[value], persons=len(people[value])) for value in ranked[:limit]]

    def _facet_values(self, query: Query, mention: Mention, field: str) -> list[str]:
        if field == "thread":
            return field_values(mention, "thread_id")
        if field == "story":
            return [self.story(mention)]
        if field not in ("brand", "tone", "via", "voice"):
            return field_values(mention, field)
        parts = query.root.parts if isinstance(query.root, All) else (query.root,)
        asked = [v for p in parts if isinstance(p, OneOpinion) for name, v in p.conditions if name == "brand"]
        meant = [o for o in effective_opinions(mention) if all(o.brand in brands for brands in asked)]
        return [str(getattr(opinion, field) or "none") for opinion in meant]

    def terms(self, query: Query, background: Query, start: datetime, end: datetime | None, days: int) -> list[Term]:
        before = start - timedelta(days=days)
        now, earlier = (self._users(q, a, b) for q, a, b in ((query, start, end), (background, before, start)))
        everybody = [len(people.pop("", set())) for people in (now, earlier)]
        counts = [{term: len(people) for term, people in users.items()} for users in (now, earlier)]
        return ranked(*counts, *everybody, 20)

    def _users(self, query: Query, start: datetime, end: datetime | None) -> dict[str, set[str]]:
        """Term → persons; all of them under the empty term."""
        people: defaultdict[str, set[str]] = defaultdict(set)
        for mention in self.hits(query, start, end):
            for term in ("", *mention.analysis.topics):
                people[term].add(self.person(mention))
        return people

    def _opinions(self, brand: str) -> Iterator[tuple[Mention, Opinion]]:
        for mention in self.current():
            for opinion in effective_opinions(mention):
                if opinion.brand == brand:
                    yield mention, opinion

    def series(self, brand: str, start: datetime, end: datetime, width: timedelta = BIN) -> list[Cell]:
        cells: defaultdict[tuple[datetime, str], Counter[str]] = defaultdict(Counter)
        for mention, opinion in self._opinions(brand):
            if start <= mention.fed_bin < end:
                slot = start + (mention.fed_bin - start) // width * width
                _tally(cells[slot, mention.first_source], mention, opinion)
        return _cells(brand, cells)

    def hours(self, brand: str) -> list[Cell]:
        cells: defaultdict[tuple[datetime, str], Counter[str]] = defaultdict(Counter)
        for mention, opinion in self._opinions(brand):
            _tally(cells[mention.event_time.replace(minute=0, second=0, microsecond=0), ""], mention, opinion)
        return _cells(brand, cells)

    def days(self, brand: str) -> list[Cell]:
        cells: defaultdict[tuple[datetime, str], Counter[str]] = defaultdict(Counter)
        for mention, opinion in self._opinions(brand):
            day = mention.event_time.replace(hour=0, minute=0, second=0, microsecond=0)
            _tally(cells[day, mention.first_source], mention, opinion)
        return _cells(brand, cells)

    def _window(self, window: Window, historic: bool = False) -> list[Mention]:
        return [
            mention
            for mention, opinion in self._opinions(window.brand)
            if opinion.counted
            and window.start <= mention.fed_bin < window.end
            and (historic or not mention.historic)
            and window.tone in (None, opinion.tone)
            and (window.sources is None or mention.first_source in window.sources)
        ]

    def persons(self, window: Window) -> Persons:
        posts = Counter(self.person(mention) for mention in self._window(window))
        earlier = Window(brand=window.brand, start=window.start - timedelta(days=28), end=window.start)
        before = {self.person(mention) for mention in self._window(earlier, historic=True)}
        return Persons(
            persons=len(posts),
            without_author=sum(person.startswith("story:") for person in posts),
            posts=posts.total(),
            first_time=len(set(posts) - before),
            top3_posts=sum(n for _, n in posts.most_common(3)),
        )

    def persons_by_bin(self, window: Window, width: timedelta) -> dict[datetime, int]:
        people: defaultdict[datetime, set[str]] = defaultdict(set)
        for mention in self._window(window, historic=True):
            slot = window.start + (mention.fed_bin - window.start) // width * width
            people[slot].add(self.person(mention))
        return {slot: len(found) for slot, found in sorted(people.items())}

    def in_window(self, window: Window) -> list[str]:
        return [mention.uid for mention in reversed(self._window(window))]

    def delete_at_source(self, uid: str, at: datetime) -> bool:
        if uid in self.revisions:
            known = self.revisions[uid][-1].mention
            self._revise(uid, [replace(known, deleted_at=max(at, known.deleted_at or at))], self.clock.now())
        return uid in self.revisions

    def erase(self, uids: Sequence[str]) -> list[str]:
        existed = [uid for uid in dict.fromkeys(uids) if self.revisions.pop(uid, None)]
        self.erased.update(uids)
        return existed

    def erase_author(self, author: str) -> list[str]:
        wrote = [
            uid
            for uid, known in self.revisions.items()
            if any(r.mention.crawled.author == author for r in known)
            or any(later.crawled.author == author for later in known[-1].mention.later)
        ]
        return sorted(self.erase(wrote))

    def purge(self, before: datetime) -> int:
        old = [mention.uid for mention in self.current() if mention.event_time < before]
        for uid in old:
            del self.revisions[uid]
        return len(old)


def _tally(cell: Counter[str], mention: Mention, opinion: Opinion) -> None:
    if opinion.counted:
        cell["posts"] += 1
        cell["p"] += round((opinion.p_negative or 0) * 1_000_000)
        if opinion.tone:
            cell[opinion.tone] += 1
    elif mention.is_copy and opinion.voice is Voice.EARNED and mention.crawled.kind is not Kind.RESULT:
        cell["copies"] += 1


def _cells(brand: str, cells: dict[tuple[datetime, str], Counter[str]]) -> list[Cell]:
    return [
        Cell(
            brand=brand,
            source=source,
            start=start,
            posts=cell["posts"],
            negative=cell[ToneLabel.NEGATIVE],
            neutral=cell[ToneLabel.NEUTRAL],
            positive=cell[ToneLabel.POSITIVE],
            p_negative=cell["p"] / 1_000_000,
            copies=cell["copies"],
        )
        for (start, source), cell in sorted(cells.items())
        if cell["posts"] or cell["copies"]
    ]
