"""Which of the groups that repeat on a page are its posts, and which the rows of a list."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

from crawlers.blocks import Block, Group, groups_of, headed, holds_several
from crawlers.bylines import Clock
from crawlers.outline import CAMEL, Plan
from crawlers.parsing import Links, PageFile
from crawlers.rows import Place, are_rows
from crawlers.select import absolute, select
from crawlers.text import Element

FEWEST = 2
"""Posts that make a page one of posts."""
FEWEST_ROWS = 2
SEVERAL = 4
"""Blocks that are posts by their number and names alone."""
TRIED = 8
"""Groups that are looked at more closely."""
_POSTISH = re.compile(
    r"(?:^|[\W_])(?:post|posting|comment|kommentar|message|msg|nachricht|beitrag|reply|antwort|answer"
    r"|question|frage|entry"
    r"|topic|thread|discussion|review|shoutbox|guestbook)",
    re.IGNORECASE,
)
_SELF = "link[rel=canonical][href], meta[property='og:url'][content]"


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """One page while it is read."""

    source: PageFile
    tree: Element
    base: str
    plan: Plan
    clock: Clock
    links: Links
    lang: str | None
    place: Place


def hosts_of(tree: Element, base: str, url: str) -> frozenset[str]:
    """The hosts that are the page's own: by its addresses, and that of most of its links."""
    told = [one.get("href") or one.get("content") for one in select(tree, _SELF)[:4]]
    linked = Counter(
        urlsplit(there).netloc for one in select(tree, "a[href]")[:600] if (there := absolute(base, one.get("href")))
    )
    most = [host for host, times in linked.most_common(1) if times > 0.6 * linked.total()]
    return frozenset(
        [
            urlsplit(base).netloc,
            urlsplit(url).netloc,
            *most,
            *(urlsplit(absolute(base, one) or "").netloc for one in told),
        ]
    )


def chosen(page: Sight) -> tuple[Group | None, Group | None]:
    """The blocks that are the posts, and those that are the rows of a list; one of the two is the page's sense."""
    groups = groups_of(page.plan)
    several: list[Group] = []
    posts = rows = None
    for group in groups:
        if len(group.blocks) < FEWEST or len(several) >= TRIED or any(holds_several(group, one) for one in several):
            continue
        several.append(group)
        if _is_list(page, group):
            rows = rows or (group if len(group.blocks) >= FEWEST_ROWS else None)
        elif posts is None and _are_posts(page, group):
            posts = group
    if posts is not None and rows is not None and rows.score > posts.score and _words(page, rows) > _words(page, posts):
        posts = None
    if posts is None:
        single = _single(page, groups, several)
        if single is not None and (rows is None or _words(page, single) > 2 * _words(page, rows)):
            return single, rows
    return posts, rows


def _are_posts(page: Sight, group: Group) -> bool:
    """Whether what repeats is written by somebody. Few blocks must be marked as posts besides, and look the same."""
    if len(group.blocks) >= SEVERAL:
        return group.named >= 0.6 or bool(_POSTISH.search(group.key)) or headed(page.plan, group)
    return group.named >= 0.75 and all(_is_marked(page, block) for block in group.blocks)


def _is_marked(page: Sight, block: Block) -> bool:
    """Whether a block, or something close around it, is called a post or the like."""
    element = page.plan.elements[block.start]
    return _is_postish(element) or (element.getparent() is not None and _is_postish(element.getparent()))


def _is_postish(element: Element) -> bool:
    marks = " ".join(element.get(name) or "" for name in ("class", "id", "itemtype"))
    return bool(_POSTISH.search(CAMEL.sub("-", marks)))


def _words(page: Sight, group: Group) -> int:
    """Letters of a group, links among them."""
    plan = page.plan
    return sum(plan.letters[block.end] - plan.letters[block.start] for block in group.blocks if not block.inner)


def _is_list(page: Sight, group: Group) -> bool:
    plan = page.plan
    scopes = [
        [one for start, end in block.spans() for one in plan.elements[start:end][:400]] for block in group.blocks[:60]
    ]
    return are_rows(scopes, page.place, group.letters)


def _single(page: Sight, groups: Sequence[Group], several: Sequence[Group]) -> Group | None:
    """A lone post: what is marked as one, with name, time and text, and is not around what repeats."""
    lone = (one for one in groups if len(one.blocks) == 1 and one.named == 1 and not one.segmented)
    marked = (one for one in lone if _is_called(page, one) and not _is_list(page, one))
    return next((one for one in marked if not any(holds_several(one, other) for other in several)), None)


def _is_called(page: Sight, group: Group) -> bool:
    return _is_postish(page.plan.elements[group.blocks[0].start])


def opening_of(page: Sight, group: Group) -> Group | None:
    """The opening post, where it is written otherwise than its answers: the last such block before them."""
    start = min(block.start for block in group.blocks)
    found = [
        one
        for one in groups_of(page.plan)
        if len(one.blocks) == 1
        and one.named == 1
        and one.letters >= 20
        and not one.segmented
        and one.blocks[0].end <= start
        and _is_called(page, one)
    ]
    return max(found, key=lambda one: one.letters, default=None)
