"""Threads of own communities: solved or not, by whom, and how long the first answer of an own account took."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from pipeline.mention import Mention
from pipeline.query.tree import Field, Query
from pipeline.store.protocol import Store
from pipeline.words import Channel, Voice

OWN_VOICES = frozenset({Voice.OWNED, Voice.STAFF})
MOST = 5_000
"""Mentions of the threads of one page that are looked at."""


class ThreadState(msgspec.Struct, frozen=True, kw_only=True):
    """Where a thread stands, as far as its mentions tell. What is not known is None, never 0."""

    thread: str
    """``origin + " " + native id``."""
    title: str
    posts: int
    opened: datetime
    """Of the earliest known post."""
    solved: bool | None = None
    """Whether an answer is accepted; None where the place marks none."""
    solved_by: str | None = None
    """``staff`` (an own account) or ``peer``."""
    first_answer_s: int | None = None
    """Seconds from the opening to the first answer of an own account; None while there is none."""

    @property
    def first_answer(self) -> timedelta | None:
        """The same as a span of time."""
        return None if self.first_answer_s is None else timedelta(seconds=self.first_answer_s)


def thread_state(mentions: Sequence[Mention]) -> ThreadState | None:
    """The state of the one thread that these mentions are of, in any order; None for no mentions.

    A thread that an own account opened waits for no answer of one.
    """
    posts = sorted((mention for mention in mentions if mention.crawled.thread), key=lambda m: (m.event_time, m.uid))
    if not posts:
        return None
    opening, answers = posts[0], posts[1:]
    own = next((answer for answer in answers if _is_own(answer)), None) if not _is_own(opening) else None
    accepted = [post for post in posts if post.crawled.accepted]
    marked = any(post.crawled.accepted is not None for post in posts)
    return ThreadState(
        thread=opening.crawled.thread or "",
        title=next((post.crawled.thread_title for post in posts if post.crawled.thread_title), ""),
        posts=len(posts),
        opened=opening.event_time,
        solved=bool(accepted) if marked else None,
        solved_by=_solver(accepted) if accepted else None,
        first_answer_s=int((own.event_time - opening.event_time).total_seconds()) if own else None,
    )


def threads_of(store: Store, mentions: Iterable[Mention]) -> dict[str, ThreadState]:
    """The states of the threads in own communities that some mentions are of, by their ids, with one question."""
    wanted = {m.crawled.thread for m in mentions if m.crawled.thread and m.crawled.channel is Channel.OWN}
    if not wanted:
        return {}
    found: dict[str, list[Mention]] = {}
    for mention in _all(store, Query(root=Field("thread_id", tuple(sorted(name.lower() for name in wanted))))):
        found.setdefault(mention.crawled.thread or "", []).append(mention)
    states = (thread_state(group) for name, group in found.items() if name in wanted)
    return {state.thread: state for state in states if state is not None}


def _all(store: Store, query: Query) -> Iterator[Mention]:
    """Newest first, up to ``MOST``."""
    after, given = None, 0
    while given < MOST:
        page = store.search(query, limit=500, after=after)
        yield from page.mentions
        after, given = page.after, given + len(page.mentions)
        if after is None:
            return


def _is_own(mention: Mention) -> bool:
    return any(opinion.voice in OWN_VOICES for opinion in mention.analysis.opinions)


def _solver(accepted: Sequence[Mention]) -> str:
    return "staff" if any(_is_own(post) for post in accepted) else "peer"
