"""A mention: an item that is about a brand, cleaned, matched, scored. ``merge`` is the only way two readings meet."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import reduce
from typing import TypedDict

import msgspec
from msgspec.structs import replace

from pipeline.item import Media, Published
from pipeline.words import Aspect, Channel, Kind, Purpose, Reading, Severity, ToneLabel, Via, Voice


class Tone(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The score of one text. Probabilities sum to 1; compound is -1..1."""

    label: ToneLabel
    p_negative: float
    p_neutral: float
    p_positive: float
    compound: float
    words: tuple[tuple[str, float], ...] = ()
    """The words that weighed most, with their weights, heaviest first."""


class Opinion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a mention says about one brand. ``tone`` is None where the text is not scored."""

    brand: str
    via: Via
    voice: Voice
    counted: bool = True
    """Earned, no copy, and not a mere search result: what shares, series and levels count."""
    tone: ToneLabel | None = None
    p_negative: float | None = None
    p_neutral: float | None = None
    p_positive: float | None = None


class Analysis(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the steps made of one text. Counts for the text with this hash only."""

    text_hash: str
    analyser: str
    """Name of what scored the tone, such as ``rules-de``; ``none`` where the language is not scored."""
    version: int
    """Of the whole analysis; the newer wins for the same text."""
    lang: str | None = None
    """ISO 639-1, or None where unknown."""
    tone: Tone | None = None
    opinions: tuple[Opinion, ...] = ()
    severity: Severity | None = None
    """None where the language has no tables, or the text was analysed before there were any."""
    staff_threat: bool = False
    """A threat against the people or the house of a brand."""
    aspects: tuple[Aspect, ...] = ()
    purpose: Purpose | None = None
    topics: tuple[str, ...] = ()
    """Stems of its nouns, brand terms left out, in the order in which they occur."""
    why: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Severity, aspect or purpose → the words of the text that made it."""


class Crawled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One reading of the thing itself. The greatest by (reading, source, fetched) is what a mention shows."""

    source: str
    reading: Reading
    fetched: datetime
    platform: str
    channel: Channel
    kind: Kind
    url: str | None = None
    title: str = ""
    text: str = ""
    author: str | None = None
    """Pseudonym, 32 hex; None for guests and where no author is known."""
    thread: str | None = None
    """``origin + " " + native id`` of the thread."""
    thread_title: str = ""
    parent: str | None = None
    """uid of what this answers."""
    rating: float | None = None
    rating_raw: str | None = None
    rating_scale: str | None = None
    votes: int | None = None
    images: int = 0
    media: tuple[Media, ...] = ()
    """What pictures and films show, in words. Shown, but not searched: text search is text and own title."""
    views: int | None = None
    verified: bool | None = None
    accepted: bool | None = None
    staff: bool | None = None
    raw_sha256: str | None = None


class Correction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person's word on the tone towards one brand (None: every brand); wins over any scorer."""

    tone: ToneLabel
    at: datetime
    by: str
    brand: str | None = None


class LaterReading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A full reading by another source, newer than the winning one: it would show if a deletion fell between them."""

    crawled: Crawled
    analysis: Analysis


class Mention(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that the store keeps of one thing said in one place."""

    uid: str
    origin: str
    crawled: Crawled
    published: Published
    seen: datetime
    """When we fetched it first."""
    event_time: datetime
    """Orders, draws and partitions; fixed by the first store unless a more precise time comes."""
    fed_bin: datetime
    """Start of the 5-minute bin in which series, rules and levels count it; fixed by the first store."""
    analysis: Analysis
    sources: tuple[str, ...]
    """Sorted ids of all sources that found it."""
    first_source: str
    """The source that stored it first; its series count it."""
    story: str | None = None
    """uid of the story's first stored member."""
    is_copy: bool = False
    historic: bool = False
    """Brought by first contact or older than 48 h when seen: searchable, raises nothing."""
    late: bool = False
    clamped: bool = False
    """The page's time lay in the future and was replaced by ``seen``."""
    press: bool = False
    """By somebody on the watch list of journalists, as any source of it told."""
    corrections: tuple[Correction, ...] = ()
    deleted_at: datetime | None = None
    """When the source was found to have deleted it; text and title are gone then."""
    last_deletion: datetime | None = None
    """The newest deletion ever reported, kept when a later full reading has revived the mention."""
    later: tuple[LaterReading, ...] = ()
    """Nearly always empty."""
    revision: int = 0
    """Given by the store inside the write; 1 is the first."""
    known_from: datetime | None = None
    """Clock read inside the write of this revision."""


def text_hash(title: str, text: str) -> str:
    """32 hex of what an analysis is valid for."""
    return hashlib.blake2b(f"{title}\n\n{text}".encode(), digest_size=16).hexdigest()


def person_of(mention: Mention) -> str:
    """The person who counts: the account, or one nameless person per story."""
    return mention.crawled.author or f"story:{mention.story or mention.uid}"


# --- merging ------------------------------------------------------------------------------------------------------

FUTURE_TOLERANCE = timedelta(minutes=15)


def merge(old: Mention | None, incoming: Mention) -> Mention | None:
    """The mention after ``incoming`` has become known, or None where its content says nothing new.

    Order and repetition of readings change nothing but revision, known_from and what the first store fixes.
    """
    if old is None:
        return join(None, incoming)
    joined = join(old, incoming)
    return None if same_content(old, joined) else joined


def join(old: Mention | None, incoming: Mention) -> Mention:
    """The least mention that knows what both know. Revision and known_from stay those of ``old``."""
    if old is None:
        return _settled(replace(incoming, revision=0, known_from=None))
    if old.uid != incoming.uid:
        raise ValueError(f"{old.uid} and {incoming.uid} are different mentions")
    incoming = _admitted(incoming)
    published = min(old.published, incoming.published, key=_vagueness)
    joined = replace(
        old,
        published=published,
        seen=min(old.seen, incoming.seen),
        sources=tuple(sorted({*old.sources, *incoming.sources})),
        press=old.press or incoming.press,
        corrections=_united(old.corrections, incoming.corrections),
        last_deletion=_newest(old.last_deletion, old.deleted_at, incoming.last_deletion, incoming.deleted_at),
    )
    if published.precision.rank < old.published.precision.rank:
        joined = _retimed(joined)
    if old.crawled.kind is Kind.RESULT and incoming.crawled.kind is not Kind.RESULT:
        joined = _read_at_last(joined, incoming)
    return _with_winner(joined, [*_readings(old), *_readings(incoming)])


def _read_at_last(mention: Mention, incoming: Mention) -> Mention:
    """What had been a search result only: nothing has counted it yet, so it counts where it is read now."""
    return replace(
        mention,
        first_source=incoming.first_source,
        fed_bin=incoming.fed_bin,
        historic=incoming.historic,
        late=incoming.late,
        story=incoming.story,
        is_copy=incoming.is_copy,
    )


def same_content(old: Mention, new: Mention) -> bool:
    """Whether nothing that people see has changed: a mere newer look at the same thing makes no revision."""
    looked_again = replace(old.crawled, fetched=new.crawled.fetched, raw_sha256=new.crawled.raw_sha256)
    as_precise = old.published.precision is new.published.precision
    return new == replace(
        old,
        crawled=looked_again,
        published=new.published if as_precise else old.published,
        last_deletion=new.last_deletion,
        later=new.later,
        revision=new.revision,
        known_from=new.known_from,
    )


def stripped(mention: Mention, at: datetime) -> Mention:
    """The mention as of its deletion at the source, found at ``at``: text, title and raw page gone, counts kept."""
    return join(mention, replace(mention, deleted_at=_newest(mention.deleted_at, at)))


def without_text(mention: Mention) -> Mention:
    """An old revision of a mention that was deleted at the source: only its words are taken."""
    return replace(mention, **_bare(LaterReading(crawled=mention.crawled, analysis=mention.analysis)), later=())


def effective_opinions(mention: Mention) -> tuple[Opinion, ...]:
    """The opinions after people's corrections; probabilities stay those of the scorer."""
    if not mention.corrections:
        return mention.analysis.opinions
    return tuple(_corrected(opinion, mention.corrections) for opinion in mention.analysis.opinions)


def effective_tone(mention: Mention) -> ToneLabel | None:
    """The tone of the text as a whole: a correction for every brand wins over the scorer."""
    general = [entry for entry in mention.corrections if entry.brand is None]
    if general:
        return general[-1].tone
    return mention.analysis.tone.label if mention.analysis.tone else None


def spread(uid: str, lower: datetime, upper: datetime) -> datetime:
    """A steady point between two bounds, by the uid, so that vague times make no heap at midnight."""
    return lower + (max(upper, lower) - lower) * (int(uid[:8], 16) / 2**32)


def _corrected(opinion: Opinion, corrections: tuple[Correction, ...]) -> Opinion:
    mine = [entry.tone for entry in corrections if entry.brand in (None, opinion.brand)]
    return replace(opinion, tone=mine[-1]) if mine else opinion


def _newest(*times: datetime | None) -> datetime | None:
    return max((time for time in times if time is not None), default=None)


def _united(*groups: Iterable[Correction]) -> tuple[Correction, ...]:
    """All corrections, oldest first; later ones win over earlier ones."""
    every = {entry for group in groups for entry in group}
    return tuple(sorted(every, key=lambda entry: (entry.at, entry.brand or "", entry.by, entry.tone)))


def _vagueness(published: Published) -> tuple[object, ...]:
    """Sorts the more precise first; among equals the narrower, then the earlier."""
    bounds = (published.lower, published.upper)
    width = (bounds[1] - bounds[0]) if bounds[0] and bounds[1] else timedelta.max
    return (published.precision.rank, width, *(str(time) for time in (published.at, *bounds)))


def _retimed(mention: Mention) -> Mention:
    """With the event time made anew from ``published``; where it is counted (fed_bin) stays."""
    published, seen = mention.published, mention.seen
    at = published.at
    if at is None:
        return mention
    if at > seen + FUTURE_TOLERANCE:
        return replace(mention, event_time=seen, clamped=True)
    if not published.precision.exact:
        at = spread(mention.uid, published.lower or at, min(published.upper or at, seen))
    return replace(mention, event_time=at, clamped=False)


# Readings: the crawled part and its analysis, which belong together.


def _settled(mention: Mention) -> Mention:
    """A mention's first form in a store."""
    mention = _admitted(mention)
    deletion = _newest(mention.last_deletion, mention.deleted_at)
    mention = replace(
        mention,
        sources=tuple(sorted({*mention.sources, mention.first_source})),
        corrections=_united(mention.corrections),
        last_deletion=deletion,
    )
    return _with_winner(mention, _readings(mention))


def _admitted(mention: Mention) -> Mention:
    """With a score that fits its text, and the mere report of a deletion ranked below every true reading."""
    crawled = mention.crawled
    if mention.deleted_at is not None:
        reported = crawled.fetched >= mention.deleted_at and not mention.analysis.opinions and not crawled.text
        return replace(mention, crawled=replace(crawled, reading=Reading.SNIPPET)) if reported else mention
    digest = text_hash(crawled.title, crawled.text)
    if mention.analysis.text_hash == digest:
        return mention
    opinions = tuple(
        replace(opinion, tone=None, p_negative=None, p_neutral=None, p_positive=None)
        for opinion in mention.analysis.opinions
    )
    return replace(mention, analysis=Analysis(text_hash=digest, analyser="none", version=0, opinions=opinions))


def _readings(mention: Mention) -> list[LaterReading]:
    return [LaterReading(crawled=mention.crawled, analysis=mention.analysis), *mention.later]


def _with_winner(mention: Mention, readings: list[LaterReading]) -> Mention:
    """The mention showing the reading that wins, or the bare remains of one where the source has deleted it."""
    deletion = mention.last_deletion
    alive = [r for r in readings if deletion is None or (_full(r) and r.crawled.fetched > deletion)]
    if alive:
        winner = max(alive, key=_rank) if len(alive) > 1 else alive[0]
        candidates = alive
    else:
        candidates = [LaterReading(**_bare(reading)) for reading in readings]
        winner = max(candidates, key=_remains_rank)
    return replace(
        mention,
        crawled=winner.crawled,
        analysis=_counting(_best_analysis(winner, candidates), winner.crawled.kind, mention.is_copy),
        deleted_at=None if alive else deletion,
        later=_not_outdone(winner, alive, mention.is_copy),
    )


def _full(reading: LaterReading) -> bool:
    return reading.crawled.reading is Reading.FULL


def _rank(reading: LaterReading) -> tuple[object, ...]:
    crawled = reading.crawled
    return (crawled.reading, crawled.source, crawled.fetched, *_identity(reading))


def _remains_rank(reading: LaterReading) -> tuple[object, ...]:
    """Like ``_rank``, but of several full readings the last one."""
    crawled = reading.crawled
    if _full(reading):
        return (crawled.reading, crawled.fetched, crawled.source, *_identity(reading))
    return _rank(reading)


def _identity(reading: LaterReading) -> tuple[object, ...]:
    """Tells two readings of one source and second apart, and orders them alike before and after a deletion.

    So first comes what a deletion leaves; the words, which it takes, decide only between what would remain the same.
    """
    remains = _bare(reading)
    return (_encode(remains["crawled"]), reading.analysis.text_hash, _encode(reading.crawled))


def _not_outdone(winner: LaterReading, alive: list[LaterReading], is_copy: bool) -> tuple[LaterReading, ...]:
    """The full readings newer than all that rank above them, highest rank first."""
    if len(alive) < 2:  # nearly always; spares the ranking
        return ()
    kept: list[LaterReading] = []
    newest = winner.crawled.fetched
    for reading in sorted(filter(_full, alive), key=_rank, reverse=True):
        if reading.crawled.fetched > newest:
            newest = reading.crawled.fetched
            analysis = _counting(_best_analysis(reading, alive), reading.crawled.kind, is_copy)
            kept.append(LaterReading(crawled=reading.crawled, analysis=analysis))
    return tuple(kept)


def _best_analysis(reading: LaterReading, readings: list[LaterReading]) -> Analysis:
    """The newest analysis of this very text, whichever reading brought it; of equals the one that knows more brands."""
    digest = reading.analysis.text_hash
    same = (other.analysis for other in readings if other.analysis.text_hash == digest)
    return reduce(lambda a, b: a if a == b else max(a, b, key=_analysis_rank), same)


def _analysis_rank(analysis: Analysis) -> tuple[object, ...]:
    """As in ``_identity``, the words that a deletion takes come last."""
    blank = replace(analysis, opinions=tuple(replace(opinion, counted=False) for opinion in analysis.opinions))
    return (analysis.version, len(analysis.opinions), _encode(_wordless(blank)), _encode(blank))


def _counting(analysis: Analysis, kind: Kind, is_copy: bool) -> Analysis:
    """With ``counted`` derived anew: earned, no copy, no mere search result."""
    countable = not is_copy and kind is not Kind.RESULT
    wanted = [countable and opinion.voice is Voice.EARNED for opinion in analysis.opinions]
    if all(opinion.counted is want for opinion, want in zip(analysis.opinions, wanted, strict=True)):
        return analysis
    opinions = (replace(o, counted=want) for o, want in zip(analysis.opinions, wanted, strict=True))
    return replace(analysis, opinions=tuple(opinions))


class _Bare(TypedDict):
    crawled: Crawled
    analysis: Analysis


def _bare(reading: LaterReading) -> _Bare:
    """A reading without its words; the hash and the labels of its analysis stay."""
    return _Bare(
        crawled=replace(reading.crawled, title="", text="", media=(), raw_sha256=None),
        analysis=_wordless(reading.analysis),
    )


def _wordless(analysis: Analysis) -> Analysis:
    tone = replace(analysis.tone, words=()) if analysis.tone else None
    return replace(analysis, tone=tone, topics=(), why=())


def _encode(value: msgspec.Struct) -> bytes:
    return msgspec.json.encode(value)
