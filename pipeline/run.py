"""The way through: items in, durable mentions out. Order of the steps: ``pipeline.build``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec
import structlog
from msgspec.structs import replace
from sqlalchemy.exc import OperationalError

from pipeline.absence import absences
from pipeline.clock import Clock
from pipeline.draft import Draft, Step, placed
from pipeline.identity import uid_of
from pipeline.item import Item
from pipeline.mention import Analysis, Crawled, Mention, Opinion, text_hash
from pipeline.spool import Quarantined, Spool, Waiting, Watermark
from pipeline.steps.story import Assigned, StoryText, assign
from pipeline.store.protocol import Store, StoreError
from pipeline.words import Kind, Voice

log = structlog.get_logger()
BATCH = 500
_OURS = (StoreError, OSError, OperationalError)
"""Troubles of disks and databases: no item is to blame, so none goes to the quarantine."""


class Rejected(Exception):
    """The store cannot hold this mention; the message says why."""


class Fed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch of items; the parts add up to the items given (a uid given twice counts once)."""

    stored: int = 0
    revised: int = 0
    unchanged: int = 0
    ignored: int = 0
    """About no brand, erased, or older than the retention."""
    spooled: int = 0
    quarantined: int = 0

    def __add__(self, other: Fed) -> Fed:
        return Fed(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})


class Pipeline:
    """Takes items through the steps into the store; into the spool while the store is down.

    ``hold`` is told of the sources whose mentions are about to wait in the spool, ``let_go`` that it is empty.
    ``feed`` returns only when everything given is durable or quarantined. Safe to call from several threads.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        store: Store,
        spool: Spool,
        *,
        voices: Callable[[Draft, str], Voice],
        version: int,
        clock: Clock,
        set_watermark: Callable[[str, datetime], None],
        hold: Callable[[Collection[str]], None],
        let_go: Callable[[], None],
    ) -> None:
        self.steps, self.store, self.spool = tuple(steps), store, spool
        self._voices, self._version, self._clock, self._set_watermark = voices, version, clock, set_watermark
        self._hold, self._let_go = hold, let_go
        self._settled = False
        """Whether it was told, since something last waited, that nothing does; a death may have kept it from that."""
        self._lock = threading.Lock()

    def feed(self, items: Sequence[Item]) -> Fed:
        """Make items durable as mentions. Raises OSError or OperationalError where nothing can be written."""
        fed = Fed()
        with self._lock:
            for batch in _batches(items):
                fed += self._feed(batch)
        return fed

    def drain(self) -> int:
        """Move what waits in the spool into the store; returns how many. Stops quietly while the store is down."""
        if self._nothing_waits():  # nearly always: who looks need not wait for a batch under way
            return 0
        with self._lock:
            try:
                return self._drain()
            except StoreError as error:
                absences.noticed(error, "spool")
                return 0

    def known(self, uids: Sequence[str]) -> Mapping[str, bool] | None:
        """Which of these are mentions, and whether by an own account; None while the store is down."""
        try:
            found = self.store.get(uids)
        except StoreError:
            return None
        return {
            uid: any(opinion.voice is Voice.OWNED for opinion in mention.analysis.opinions)
            for uid, mention in found.items()
            if mention.deleted_at is None
        }

    def spool_watermark(self, source: str, at: datetime) -> bool:
        """Set a source's watermark once all that it brought is stored. True if that is now (nothing waits).

        Waits for no batch of others: what the source brought is stored or in the spool by now, and a segment is there
        until all of it has been handed over.
        """
        if self.spool.segments():
            self.spool.append([Watermark(source=source, at=at)])
            return False
        self._set_watermark(source, at)
        return True

    def again(self, thing: Item | Mention) -> Fed:
        """One thing that lies in quarantine, stored now or found to be none of ours; nothing is put back there.

        Raises what a step breaks with, Rejected by the store, and StoreError while the store is down.
        """
        with self._lock:
            self._drain()
            if isinstance(thing, Mention):
                story = assign(self.store, [StoryText(thing.uid, thing.crawled.text, None, thing.event_time)])[
                    thing.uid
                ]
                return self._written_again(_with_story(thing, story), story.week, story.bands)
            drafts = _through(self.steps, [Draft(thing, uid_of(thing.origin, thing.native_id))])
            if not drafts:
                return Fed(ignored=1)
            return self._written_again(self._mention(drafts[0]), drafts[0].week, drafts[0].signature)

    def _written_again(self, mention: Mention, week: int, bands: tuple[int, ...]) -> Fed:
        written = self.store.write([mention])
        if written.rejected:
            raise Rejected(written.rejected[mention.uid])
        if not written.refused:
            self._note_signatures([(mention.uid, week, bands)])
        return Fed(
            stored=len(written.created),
            revised=len(written.revised),
            unchanged=len(written.unchanged),
            ignored=len(written.refused),
        )

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def _feed(self, items: Sequence[Item]) -> Fed:
        drafts = {uid: Draft(item, uid) for item in items for uid in (uid_of(item.origin, item.native_id),)}
        try:
            processed, quarantined = self._process(list(drafts.values()))
            fed = self._write(processed)
        except StoreError as error:
            absences.noticed(error, "spool")
            fresh = [Draft(draft.item, draft.uid) for draft in drafts.values()]
            processed, quarantined = self._process(fresh, without="story")
            self._spool(processed)
            fed = Fed(spooled=len(processed))
        ignored = len(drafts) - len(processed) - quarantined
        return fed + Fed(ignored=ignored, quarantined=quarantined)

    def _spool(self, drafts: Sequence[Draft]) -> None:
        self._settled = False
        sources = {draft.item.source for draft in drafts}
        self.spool.append([Waiting(mention=self._mention(draft)) for draft in drafts], lambda: self._hold(sources))

    def _nothing_waits(self) -> bool:
        return self._settled and not self.spool.segments()

    def _process(self, drafts: list[Draft], *, without: str = "") -> tuple[list[Draft], int]:
        """The drafts that are mentions, and how many broke a step and went to the quarantine."""
        steps = [step for step in self.steps if step.name != without]
        try:
            return _through(steps, drafts), 0
        except _OURS:
            raise
        except Exception:
            return self._one_by_one(steps, [Draft(draft.item, draft.uid) for draft in drafts])

    def _one_by_one(self, steps: Sequence[Step], drafts: list[Draft]) -> tuple[list[Draft], int]:
        """Something in the batch breaks a step: find it, quarantine it, go on with the rest."""
        good: list[Draft] = []
        broken: list[tuple[msgspec.Struct, str]] = []
        for draft in drafts:
            try:
                good.extend(_through(steps, [draft]))
            except _OURS:
                raise
            except Exception as error:
                log.error("item quarantined", uid=draft.uid, source=draft.item.source, reason=repr(error))
                broken.append((_nameless(draft.item), repr(error)))
        self._quarantine(broken)
        return good, len(broken)

    def _write(self, drafts: list[Draft]) -> Fed:
        self._drain()
        given = len(drafts)
        drafts = self._without_strangers(drafts)
        if not drafts:
            return Fed(ignored=given)
        written = self.store.write([self._mention(draft) for draft in drafts])
        absences.over("spool")
        refused = {uid for uid, _ in written.refused}
        rejected = written.rejected
        self._quarantine([(_nameless(draft.item), rejected[draft.uid]) for draft in drafts if draft.uid in rejected])
        self._note_signatures((draft.uid, draft.week, draft.signature) for draft in drafts if draft.uid not in refused)
        return Fed(
            stored=len(written.created),
            revised=len(written.revised),
            unchanged=len(written.unchanged),
            ignored=len(written.refused) - len(rejected) + given - len(drafts),
            quarantined=len(rejected),
        )

    def _without_strangers(self, drafts: list[Draft]) -> list[Draft]:
        """Without deletions of what was never stored: they are no mentions."""
        gone = [draft.uid for draft in drafts if draft.item.deleted]
        known = self.store.get(gone) if gone else {}
        return [draft for draft in drafts if not draft.item.deleted or draft.uid in known]

    def _quarantine(self, broken: Sequence[tuple[msgspec.Struct, str]]) -> None:
        """Keep for a person to look at what cannot be processed or stored; holds no author in clear."""
        at, encode = self._clock.now(), msgspec.json.encode
        if broken:
            self.spool.quarantine(
                [Quarantined(at=at, reason=why, record=msgspec.Raw(encode(it))) for it, why in broken]
            )

    def _note_signatures(self, signatures: Iterable[tuple[str, int, tuple[int, ...]]]) -> None:
        weeks: dict[int, dict[str, tuple[int, ...]]] = {}
        for uid, week, bands in signatures:
            if bands:
                weeks.setdefault(week, {})[uid] = bands
        for week, noted in weeks.items():
            self.store.note_signatures(noted, week)

    def _drain(self) -> int:
        if self._nothing_waits():
            return 0
        waited, self._settled = bool(self.spool.segments()), False
        drained = self.spool.drain(self._write_late, self._set_watermark, self._let_go)
        self._settled = True
        if waited:
            absences.over("spool")
            log.info("spool drained", mentions=drained)
        return drained

    def _write_late(self, mentions: list[Mention]) -> None:
        """What waited in the spool has no story yet: only the store knows its copies."""
        gone = [m.uid for m in mentions if m.deleted_at is not None]
        known = {m.uid for m in mentions if m.deleted_at is None} | (set(self.store.get(gone)) if gone else set())
        mentions = [mention for mention in mentions if mention.uid in known]
        texts = [StoryText(m.uid, m.crawled.text, m.crawled.author, m.event_time) for m in mentions]
        stories = assign(self.store, texts)
        written = self.store.write([_with_story(mention, stories[mention.uid]) for mention in mentions])
        rejected = written.rejected
        self._quarantine([(_of_nobody(m), rejected[m.uid]) for m in mentions if m.uid in rejected])
        left = ((uid, story) for uid, story in stories.items() if uid not in rejected)
        self._note_signatures((uid, story.week, story.bands) for uid, story in left)

    def _mention(self, draft: Draft) -> Mention:
        item, when = draft.item, placed(draft)
        return Mention(
            uid=draft.uid,
            origin=item.origin,
            crawled=_crawled(draft),
            published=when.published,
            seen=item.fetched,
            event_time=when.event_time,
            fed_bin=when.fed_bin,
            analysis=self._analysis(draft),
            sources=(item.source,),
            first_source=item.source,
            story=draft.story or draft.uid,
            is_copy=draft.is_copy,
            historic=when.historic,
            late=when.late,
            clamped=when.clamped,
            press=draft.press,
            deleted_at=item.fetched if item.deleted else None,
        )

    def _analysis(self, draft: Draft) -> Analysis:
        return Analysis(
            text_hash=text_hash(draft.title, draft.text),
            analyser=draft.analyser,
            version=self._version,
            lang=draft.lang,
            tone=draft.tone,
            opinions=tuple(self._opinion(draft, brand) for brand in draft.brands),
            severity=draft.labels.severity,
            staff_threat=draft.labels.staff_threat,
            aspects=draft.labels.aspects,
            purpose=draft.labels.purpose,
            topics=draft.topics,
            why=draft.labels.why,
        )

    def _opinion(self, draft: Draft, brand: str) -> Opinion:
        voice, tone = self._voices(draft, brand), draft.tones.get(brand, draft.tone)
        counted = voice is Voice.EARNED and not draft.is_copy and draft.item.kind is not Kind.RESULT
        opinion = Opinion(brand=brand, via=draft.brands[brand], voice=voice, counted=counted)
        if tone is None:
            return opinion
        return replace(
            opinion,
            tone=tone.label,
            p_negative=tone.p_negative,
            p_neutral=tone.p_neutral,
            p_positive=tone.p_positive,
        )


def _batches(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Parts of ``BATCH``; what is gone again comes in a later one than what it was, which would not be stored else."""
    batch, met = list[Item](), set[tuple[str, str]]()
    for item in items:
        name = (item.origin, item.native_id)
        if len(batch) == BATCH or (item.deleted and name in met):
            yield batch
            batch, met = [], set()
        batch.append(item)
        met.add(name)
    if batch:
        yield batch


def _nameless(item: Item) -> Item:
    return replace(item, author=None, author_id=None, parent_author=None)


def _of_nobody(mention: Mention) -> Mention:
    """Without the pseudonym: what lies in the quarantine is erased by its uid alone."""
    return replace(mention, crawled=replace(mention.crawled, author=None), later=())


def _through(steps: Sequence[Step], drafts: list[Draft]) -> list[Draft]:
    for step in steps:
        if drafts:
            drafts = step(drafts)
    return drafts


def _with_story(mention: Mention, story: Assigned) -> Mention:
    opinions = tuple(
        replace(opinion, counted=opinion.counted and not story.is_copy) for opinion in mention.analysis.opinions
    )
    analysis = replace(mention.analysis, opinions=opinions)
    return replace(mention, story=story.story, is_copy=story.is_copy, analysis=analysis)


def _crawled(draft: Draft) -> Crawled:
    item = draft.item
    return Crawled(
        source=item.source,
        reading=item.reading,
        fetched=item.fetched,
        platform=item.platform,
        channel=item.channel,
        kind=item.kind,
        url=item.url,
        title=draft.title,
        text=draft.text,
        author=draft.author,
        thread=f"{item.origin} {item.thread}" if item.thread else None,
        thread_title=draft.thread_title,
        parent=uid_of(item.origin, item.parent) if item.parent else None,
        rating=item.rating,
        rating_raw=item.rating_raw,
        rating_scale=item.rating_scale,
        votes=item.votes,
        images=item.images,
        media=item.media,
        views=item.views,
        verified=item.verified,
        accepted=item.accepted,
        staff=item.staff,
        raw_sha256=item.raw_sha256,
    )
