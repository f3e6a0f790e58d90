"""An item on its way to becoming a mention: what the steps read and write."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from pipeline.item import Item
from pipeline.labels.labelling import NOTHING, Labels
from pipeline.mention import Tone
from pipeline.times import Placed, place
from pipeline.words import Via


@dataclass(frozen=True, slots=True)
class Match:
    """One place in a text that names a brand, or would have. ``start`` and ``end`` are characters of the text given."""

    brand: str
    term: str
    start: int
    end: int
    via: Via
    why: str


@dataclass(slots=True)
class Draft:
    """One item and what is known of it so far. Each step fills its own fields."""

    item: Item
    uid: str
    # clean
    title: str = ""
    """Own title, or empty where the item's heading is only the thread's."""
    text: str = ""
    author: str | None = None
    """Pseudonym."""
    thread_title: str = ""
    press: bool = False
    """By somebody on the watch list of journalists."""
    # match
    matches: list[Match] = field(default_factory=list)
    rejected: list[Match] = field(default_factory=list)
    brands: dict[str, Via] = field(default_factory=dict)
    """Every brand this is about, and the strongest reason."""
    # language
    lang: str | None = None
    scored: bool = False
    """Whether the language is one whose tone we know."""
    # tone
    tone: Tone | None = None
    tones: dict[str, Tone] = field(default_factory=dict)
    """Brand → tone of what is said about it, where the text names several."""
    analyser: str = "none"
    # labels
    labels: Labels = NOTHING
    topics: tuple[str, ...] = ()
    # story
    story: str | None = None
    is_copy: bool = False
    signature: tuple[int, ...] = ()
    week: int = 0
    placed: Placed | None = None
    """Where it lies in time, once a step has found out."""


def placed(draft: Draft) -> Placed:
    """Where a draft lies in time; found out once."""
    if draft.placed is None:
        item = draft.item
        draft.placed = place(
            draft.uid, item.published, item.fetched, watermark=item.watermark, first_contact=item.first_contact
        )
    return draft.placed


@dataclass(frozen=True, slots=True)
class ThreadContext:
    """What is known of a thread: its title and the brands named there (by title, else by the opening post)."""

    title: str = ""
    brands: tuple[str, ...] = ()
    opening_read: bool = False


class Step(Protocol):
    """One step of the pipeline. Works on a batch in place; what is about no brand may be taken out of it."""

    name: str

    def __call__(self, batch: list[Draft]) -> list[Draft]:
        """The drafts that go on."""
        ...


class ThreadBook(Protocol):
    """Where thread contexts are kept (the state database; a dict in tests). Keys are (origin, native thread id)."""

    def get(self, keys: list[tuple[str, str]]) -> dict[tuple[str, str], ThreadContext]:
        """The known ones among the keys."""
        ...

    def put(self, contexts: dict[tuple[str, str], ThreadContext]) -> None:
        """Remember; later changes of title or brands apply to what comes after."""
        ...
