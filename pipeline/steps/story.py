"""Last step before the store: near-copies of one text become one story, and copies are no opinions.

MinHash of word 3-shingles in 8 bands of 2, confirmed by containment of at least 0.8 of the shorter text
(measured in ``docs/decisions``). Candidates come from this and the previous week only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import regex
from rensa import RMinHash

from pipeline.draft import Draft, placed
from pipeline.mention import Mention
from pipeline.store.protocol import Store

BANDS, ROWS = 8, 2
CONTAINMENT = 0.8
SHORT = 8
"""Texts with fewer words are copies only if identical and by the same author."""
_LEAD = regex.compile(r"(?:\s*(?:RT\b:?|@\w+:?|https?://\S+))+", regex.IGNORECASE)
_URL = regex.compile(r"https?://\S+")
_WORD = regex.compile(r"\w+")
Shingle = str
"""Three words in a row, joined by blanks: a string is cheaper than a tuple, and what the hash function takes."""


def words_of(text: str) -> list[str]:
    """Folded words of a text without a leading RT, @handles and URLs."""
    lead = _LEAD.match(text)
    if lead:
        text = text[lead.end() :]
    return list(_WORD.findall(_URL.sub(" ", text).casefold() if "http" in text else text.casefold()))


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A text as copies are told by: its words and its word 3-shingles."""

    words: tuple[str, ...]
    shingles: frozenset[Shingle]

    @classmethod
    def of(cls, text: str) -> Fingerprint:
        words = words_of(text)
        return cls(tuple(words), shingles_of(words))


def bands_of(text: Fingerprint, author: str | None) -> tuple[int, ...]:
    """Keys under which near-copies of a text are found: 63-bit numbers, one per band."""
    if len(text.words) < SHORT:
        return (_number(f"{author}\n{' '.join(text.words)}"),) if text.words and author else ()
    minhash = RMinHash(num_perm=BANDS * ROWS, seed=42)
    minhash.update(list(text.shingles))
    digest = minhash.digest()
    return tuple(_mixed(band, *digest[band * ROWS : (band + 1) * ROWS]) for band in range(BANDS))


def same_story(one: Fingerprint, other: Fingerprint, *, same_author: bool) -> bool:
    """Whether one text is (nearly) contained in the other."""
    if min(len(one.words), len(other.words)) < SHORT:
        return same_author and one.words == other.words
    shorter = min(len(one.shingles), len(other.shingles))
    return len(one.shingles & other.shingles) >= CONTAINMENT * shorter


def shingles_of(words: Sequence[str]) -> frozenset[Shingle]:
    """Each run of three words; of fewer words the one run there is."""
    runs = zip(words, words[1:], words[2:], strict=False)
    return frozenset([f"{one} {two} {three}" for one, two, three in runs]) or frozenset((" ".join(words),))


def week_of(at: datetime) -> int:
    """Number of the week since 1970."""
    return int(at.timestamp()) // 604_800


@dataclass(frozen=True, slots=True)
class StoryText:
    """What deciding about a story needs to know of a text."""

    uid: str
    text: str
    author: str | None
    event_time: datetime


@dataclass(frozen=True, slots=True)
class Assigned:
    """The story a text belongs to; a copy is any member but the first. ``bands`` are to be noted in the store."""

    story: str
    is_copy: bool
    week: int
    bands: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Seen:
    uid: str
    print: Fingerprint
    author: str | None
    story: str


class StoryStep:
    """Finds for each draft the story it belongs to, in the store and in the batch itself."""

    name = "story"

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, batch: list[Draft]) -> list[Draft]:
        texts = [StoryText(draft.uid, draft.text, draft.author, placed(draft).event_time) for draft in batch]
        assigned = assign(self._store, texts)
        for draft in batch:
            found = assigned[draft.uid]
            draft.story, draft.is_copy = found.story, found.is_copy
            draft.signature, draft.week = found.bands, found.week
        return batch


def assign(store: Store, texts: Sequence[StoryText]) -> dict[str, Assigned]:
    """uid → story of texts of one batch. Stories that turn out to be one are joined in the store."""
    weeks: dict[int, list[StoryText]] = {}
    for text in texts:
        weeks.setdefault(week_of(text.event_time), []).append(text)
    assigned: dict[str, Assigned] = {}
    for week, members in sorted(weeks.items()):
        assigned |= _assign_week(store, week, members)
    return assigned


def _assign_week(store: Store, week: int, texts: Sequence[StoryText]) -> dict[str, Assigned]:
    prints = {text.uid: Fingerprint.of(text.text) for text in texts}
    bands = {text.uid: bands_of(prints[text.uid], text.author) for text in texts}
    near = store.story_of({uid: keys for uid, keys in bands.items() if keys}, week)
    wanted = sorted({uid for uids in near.values() for uid in uids})
    known = store.get(wanted) if wanted else {}  # a store on a server makes all it wrote searchable before it answers
    stories = store.stories(sorted(known)) if known else {}
    stored = {uid: _seen(mention, stories.get(uid, uid)) for uid, mention in known.items()}
    here: dict[int, list[_Seen]] = {}
    assigned: dict[str, Assigned] = {}
    for text in texts:
        own = _Seen(text.uid, prints[text.uid], text.author, text.uid)
        found = {stored[uid].story for uid in near.get(text.uid, ()) if uid in stored and _alike(own, stored[uid])}
        if not found:
            batch_mates = {other.uid: other for band in bands[text.uid] for other in here.get(band, ())}
            found = {other.story for other in batch_mates.values() if _alike(own, other)}
        story, *others = sorted(found) or [text.uid]
        for other in others:
            store.join_stories(story, other)
        assigned[text.uid] = Assigned(story, story != text.uid, week, bands[text.uid])
        settled = _Seen(own.uid, own.print, own.author, story)
        for band in bands[text.uid]:
            here.setdefault(band, []).append(settled)
    return assigned


def _seen(mention: Mention, story: str) -> _Seen:
    return _Seen(mention.uid, Fingerprint.of(mention.crawled.text), mention.crawled.author, story)


def _alike(one: _Seen, other: _Seen) -> bool:
    same_author = one.author is not None and one.author == other.author
    return one.uid != other.uid and same_story(one.print, other.print, same_author=same_author)


def _mixed(band: int, first: int, second: int) -> int:
    """One number of the rows of a band (32 bits each): different rows meet in one by chance only."""
    return ((first << 32 | second) * 0x9E3779B97F4A7C15 + band * 0xD1B54A32D192ED03 & 0xFFFF_FFFF_FFFF_FFFF) >> 1


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1
