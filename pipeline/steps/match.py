"""Step ``match``: which brands an item is about, and why; what is about none goes no further."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pipeline.configuration import Brand, Source
from pipeline.draft import Draft, ThreadBook, ThreadContext
from pipeline.headings import own_title, plain_thread_title
from pipeline.item import Item
from pipeline.matching import Matcher
from pipeline.words import Kind, Via, Voice

Key = tuple[str, str]
"""(origin, native id)."""

_STRENGTH = {via: rank for rank, via in enumerate(Via)}


def spoken(draft: Draft) -> str:
    """What an item says in its own words: own title, blank line, text. Positions of matches are those of this."""
    return f"{draft.title}\n\n{draft.text}" if draft.title else draft.text


OWN_HEADING = (Kind.RESULT, Kind.ARTICLE)
"""Kinds whose heading is their own, whatever a thread is called."""


def unread(uids: Sequence[str]) -> Mapping[str, str]:
    """Where nothing was stored before."""
    return {}


class MatchStep:
    """Fills ``title``, ``matches``, ``rejected`` and ``brands``; remembers what threads are about."""

    name = "match"

    def __init__(
        self,
        brands: Mapping[str, Brand],
        sources: Mapping[str, Source],
        threads: ThreadBook,
        read_by: Callable[[Sequence[str]], Mapping[str, str]] = unread,
    ) -> None:
        """``read_by`` tells of some uids which are mentions already, and the source whose reading they show."""
        self._matcher, self._read_by = Matcher(brands), read_by
        self._sources = sources
        self._threads = threads
        self._accounts = _account_owners(brands)

    def __call__(self, batch: list[Draft]) -> list[Draft]:
        """The drafts that are about a brand, and those whose mention must hear of it: deleted, or named no more."""
        contexts = self._read_threads(batch)
        for draft in batch:
            self._title(draft, contexts)
        for draft in batch:
            self._named(draft)
        self._learn_threads(batch, contexts)
        authors = {(draft.item.origin, draft.item.native_id): draft.item.author for draft in batch}
        for draft in batch:
            self._reasons(draft, contexts, authors)
        for draft in batch:
            if draft.item.deleted:  # the report that something is gone holds no opinion
                draft.matches, draft.rejected, draft.brands = [], [], {}
        silent = [draft.uid for draft in batch if not draft.brands]
        known = self._read_by(silent) if silent else {}
        return [d for d in batch if d.brands or d.item.deleted or known.get(d.uid) == d.item.source]

    def _read_threads(self, batch: list[Draft]) -> dict[Key, ThreadContext]:
        keys = list(dict.fromkeys(key for draft in batch if (key := _thread_key(draft.item))))
        return dict(self._threads.get(keys)) if keys else {}

    def _title(self, draft: Draft, contexts: Mapping[Key, ThreadContext]) -> None:
        """Own title and thread title. The heading of an opening post is the thread's; an article's is its own."""
        item = draft.item
        heading = " ".join((draft.title or item.title).split())
        known = contexts.get(_thread_key(item) or ("", ""))
        thread = draft.thread_title or item.thread_title or (known.title if known else "")
        draft.thread_title = plain_thread_title(thread or (heading if item.opens_thread else ""))
        draft.title = heading if item.kind in OWN_HEADING else own_title(heading, draft.thread_title)

    def _named(self, draft: Draft) -> None:
        draft.matches, draft.rejected = self._matcher.find(spoken(draft), draft.thread_title)
        draft.brands = {}
        for match in draft.matches:
            _add(draft, match.brand, match.via)

    def _learn_threads(self, batch: list[Draft], contexts: dict[Key, ThreadContext]) -> None:
        """Bring the thread contexts up to date with what this batch shows, and keep what changed."""
        changed: dict[Key, ThreadContext] = {}
        named: dict[str, tuple[str, ...]] = {}
        for draft in batch:
            key = _thread_key(draft.item)
            if key is None:
                continue
            title = draft.thread_title
            if title not in named:
                named[title] = self._matcher.named(title)
            old = contexts.get(key)
            new = _learned(old or ThreadContext(), title, named[title], draft)
            if new != old:
                contexts[key] = changed[key] = new
        if changed:
            self._threads.put(changed)

    def _reasons(self, draft: Draft, contexts: Mapping[Key, ThreadContext], authors: Mapping[Key, str | None]) -> None:
        """Why an item may be about a brand besides naming it: its source, its thread, whom it answers."""
        item = draft.item
        names_none = not draft.brands
        source = self._sources.get(item.source)
        if source and source.about:
            _add(draft, source.about, Via.ABOUT)
        if not names_none:
            return
        addressee = item.parent_author or authors.get((item.origin, item.parent or ""))
        for brand in self._accounts.get(account_key(addressee), ()):
            _add(draft, brand, Via.REPLY)
        context = contexts.get(_thread_key(item) or ("", ""))
        if context and len(context.brands) == 1:
            _add(draft, context.brands[0], Via.THREAD)


def voice_of(brand: Brand, item: Item, author_name: str | None, *, home: bool = False) -> Voice:
    """Who speaks, seen from one brand: an owner's reply, an own account and an article on an own domain are owned.

    Whom a place marks as its staff is the brand's staff where the place is its own (``home``, or an own domain).

    What customers write on the brand's own domain (post, comment, review) is theirs, and earned.
    """
    speaker = account_key(author_name)
    names = {speaker, account_key(item.author_id)} - {""}
    if item.kind is Kind.REPLY or names & {account_key(account) for account in brand.accounts}:
        return Voice.OWNED
    if names & {account_key(account) for account in brand.staff}:
        return Voice.STAFF
    own_place = any(_under(item.origin, domain) for domain in brand.domains)
    if item.staff and (home or own_place):
        return Voice.STAFF
    return Voice.OWNED if own_place and item.kind in (Kind.ARTICLE, Kind.RESULT) else Voice.EARNED


def account_key(name: str | None) -> str:
    """An account's name as it is compared: without @, case and blanks at the ends; empty for none."""
    return (name or "").strip().removeprefix("@").casefold()


def _under(origin: str, domain: str) -> bool:
    host = origin.split(":", 1)[0]
    bare = domain.lower().removeprefix("www.")
    return host == bare or host.endswith("." + bare)


def _account_owners(brands: Mapping[str, Brand]) -> dict[str, list[str]]:
    owners: dict[str, list[str]] = {}
    for identifier, brand in brands.items():
        for account in brand.accounts:
            owners.setdefault(account_key(account), []).append(identifier)
    return owners


def _thread_key(item: Item) -> Key | None:
    return (item.origin, item.thread) if item.thread else None


def _add(draft: Draft, brand: str, via: Via) -> None:
    """Note a reason; the strongest stays."""
    known = draft.brands.get(brand)
    if known is None or _STRENGTH[via] < _STRENGTH[known]:
        draft.brands[brand] = via


def _learned(old: ThreadContext, title: str, by_title: tuple[str, ...], draft: Draft) -> ThreadContext:
    """The context after one more post: a title that names brands decides, else the opening post."""
    opening = draft.item.opens_thread
    if by_title:
        return ThreadContext(title or old.title, by_title, old.opening_read or opening)
    if opening:
        return ThreadContext(title or old.title, tuple(dict.fromkeys(m.brand for m in draft.matches)), True)
    if title and old.title and title != old.title:
        return ThreadContext(title, (), False)
    return ThreadContext(title or old.title, old.brands, old.opening_read)
