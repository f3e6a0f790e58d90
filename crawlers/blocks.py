"""Which parts of an unknown page repeat: blocks that look alike, each with a time of its own, a name, words.

Elements that share a class, a kind of id or a parent are a group; of each
member counts what does not lie in another member, so that a tree of comments is a group like a list. The group of which
most members are whole, and which holds most of the page's words, is the one. All of it is linear in the page's size.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from crawlers.outline import Plan, Stamp
from crawlers.text import Element, brief

MAX_GROUPS = 20_000
MOST = 1_000
"""Blocks of one page that are read."""
ENOUGH = 0.8
"""Share of blocks from which on something holds for all of them."""
FEW_LETTERS = 2
"""Letters of a text that is one ("+1")."""

_HOLDERS = frozenset(
    {
        "div",
        "li",
        "article",
        "section",
        "tr",
        "table",
        "tbody",
        "dl",
        "dd",
        "dt",
        "td",
        "details",
        "p",
        "fieldset",
        "ol",
    }
    | {"ul", "aside", "span", "main", "shreddit-comment", "a"}
)
_LOOSE = frozenset({"span", "p", "a", "ol", "ul", "td", "dt"})
"""Holders by class or id alone: as plain elements they are no blocks."""
_NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Block:
    """One repeated block: the elements from ``start`` to ``end`` without those of the blocks within it."""

    start: int
    end: int
    inner: tuple[tuple[int, int], ...] = ()

    def spans(self) -> Iterator[tuple[int, int]]:
        """The parts of the page that are this block's own."""
        at = self.start
        for start, end in self.inner:
            yield at, start
            at = end
        yield at, self.end


@dataclass(frozen=True, slots=True)
class Group:
    """Blocks that look alike, and how good they are."""

    key: str
    blocks: tuple[Block, ...]
    score: float
    named: float
    """Share of them with what looks like a name."""
    letters: int
    """Free letters of the middle one."""
    segmented: bool = False
    """The blocks are runs of siblings: each member begins one."""


def groups_of(plan: Plan) -> list[Group]:
    """Groups of blocks that each hold a time of their own, the best first."""
    page = max(1, plan.free(0, len(plan.elements)))
    found: dict[tuple[int, ...], Group] = {}
    for key, members in _keyed(plan).items():
        for group in _group(plan, key, members, page):
            spans = (*(block.start for block in group.blocks), group.segmented)
            if spans not in found or found[spans].score < group.score:
                found[spans] = group
    return sorted(found.values(), key=lambda group: -group.score)


def _keyed(plan: Plan) -> dict[str, list[int]]:
    """Elements by what they have in common, only those with a time below or close behind them."""
    groups: dict[str, list[int]] = {}
    for number, element in enumerate(plan.elements):
        tag = element.tag
        if (tag not in _HOLDERS and "-" not in tag) or plan.quoted[number]:
            continue
        above = plan.parents[number]
        if above < 0 or not _timed(plan, number, above):
            continue
        for key in _keys(element, tag, above):
            if len(groups) < MAX_GROUPS or key in groups:
                groups.setdefault(key, []).append(number)
    return groups


def _timed(plan: Plan, number: int, above: int) -> bool:
    """Whether a time stands in the element, or behind it below the same parent."""
    place = bisect_left(plan.stamped, number)
    return place < len(plan.stamped) and plan.stamped[place] < plan.ends[above]


def _keys(element: Element, tag: str, above: int) -> Iterator[str]:
    names = {_NUMBERS.sub("#", name) for name in (element.get("class") or "").split()[:8]}
    for name in sorted(names):
        yield f"{tag}.{name}"
    own = element.get("id") or element.get("name") or ""
    if _NUMBERS.search(own):
        yield f"{tag}#{_NUMBERS.sub('#', own)[:40]}"
    if tag not in _LOOSE:
        yield f"{above}>{tag}"
        prop = element.get("itemtype") or element.get("itemprop")
        if prop:
            yield f"{tag}@{prop[:80]}"


def _group(plan: Plan, key: str, members: list[int], page: int) -> Iterator[Group]:
    members = members[: 4 * MOST]
    yield from _scored(plan, key, _boxes(plan, members), page, segmented=False)
    parents = {plan.parents[number] for number in members}
    if len(parents) == 1 and len(members) > 1:
        yield from _scored(plan, key, _segments(plan, members, next(iter(parents))), page, segmented=True)


def _boxes(plan: Plan, members: list[int]) -> list[Block]:
    """Each member as a block, without the members within it."""
    blocks: list[Block] = []
    inner: dict[int, list[tuple[int, int]]] = {}
    around: list[int] = []
    for number in members:
        while around and plan.ends[around[-1]] <= number:
            around.pop()
        if around:
            inner.setdefault(around[-1], []).append((number, plan.ends[number]))
        around.append(number)
    for number in members:
        blocks.append(Block(number, plan.ends[number], tuple(inner.get(number, ()))))
    return blocks


def _segments(plan: Plan, members: list[int], above: int) -> list[Block]:
    """Each member and the siblings up to the next member as a block."""
    follow = [*members[1:], plan.ends[above]]
    return [Block(number, end) for number, end in zip(members, follow, strict=True)]


def _scored(plan: Plan, key: str, blocks: list[Block], page: int, *, segmented: bool) -> Iterator[Group]:
    whole: list[Block] = []
    named = 0
    texts: list[int] = []
    crowd = 0
    for block in blocks:
        free = words = names = 0
        stamps: list[Stamp] = []
        for start, end in block.spans():
            free += plan.free(start, end)
            words += plan.letters[end] - plan.letters[start]
            names += plan.names[end] - plan.names[start]
            if len(stamps) < 12:
                stamps += plan.stamps_in(start, end)
        told = sum(min(len(stamp.text), plan.letters[stamp.at + 1] - plan.letters[stamp.at]) for stamp in stamps[:3])
        if not stamps or words - told < FEW_LETTERS:
            continue
        whole.append(block)
        named += names > 0
        texts.append(max(0, free - told))
        crowd += len(stamps) > 8
    if not whole:
        return
    count = len(whole)
    held = sum(texts) / page
    share = count / len(blocks)
    score = min(count, 60) * (0.25 + 0.75 * named / count) * (0.15 + min(1.0, held)) * share**0.5
    score *= 0.3 if crowd * 2 > count else 1.0
    score *= 0.9 if segmented else 1.0
    yield Group(key, tuple(whole[:MOST]), score, named / count, sorted(texts)[count // 2], segmented)


def headed(plan: Plan, group: Group) -> bool:
    """Whether most blocks begin with a short word in bold, as guest books do with names."""
    heads = []
    for block in group.blocks[:60]:
        first = next(
            (n for n in range(block.start, block.end) if plan.letters[n + 1] > plan.letters[block.start]), None
        )
        inner = [plan.elements[n] for n in range(block.start, min(block.end, block.start + 8))]
        bold = next((one for one in inner if one.tag in ("b", "strong", "cite") and len(one) == 0), None)
        leads = bold is not None and first is not None and plan.index[bold] <= first + 1 and bold.getparent().tag != "a"
        heads.append(brief(bold) if leads else "")
    named = [head for head in heads if 2 <= len(head) <= 40 and not re.search(r"[!?]$|\d{3}", head)]
    return len(named) >= ENOUGH * len(heads) and sum(len(head.split()) for head in named) <= 2.2 * len(named)


def uniform(plan: Plan, group: Group) -> Group:
    """The group without those blocks that only share a class with the others: elsewhere, or around them unnamed."""
    count = len(group.blocks)
    if count < 4:
        return group
    places = [_place(plan, block) for block in group.blocks]
    usual, times = Counter(places).most_common(1)[0]
    kept = [
        block
        for block, place in zip(group.blocks, places, strict=True)
        if (place == usual or times < 0.7 * count or place[0] == usual[0])
        and (not block.inner or group.named < ENOUGH or _has_name(plan, block))
    ]
    return replace(group, blocks=_again(kept))


def _place(plan: Plan, block: Block) -> tuple[str, str]:
    above = plan.elements[plan.parents[block.start]]
    names = " ".join(sorted(_NUMBERS.sub("#", above.get("class") or "").split()))
    return f"{above.tag} {names} {_NUMBERS.sub('#', above.get('id') or '')}", plan.elements[block.start].tag


def _has_name(plan: Plan, block: Block) -> bool:
    return any(plan.names[end] > plan.names[start] for start, end in block.spans())


def _again(blocks: list[Block]) -> tuple[Block, ...]:
    """The blocks, each knowing which of those that are left lie within it."""
    starts = {block.start for block in blocks}
    return tuple(replace(block, inner=tuple(one for one in block.inner if one[0] in starts)) for block in blocks)


def holds_several(outer: Group, inner: Group) -> bool:
    """Whether a block of one group is around several of the other."""
    starts = sorted(block.start for block in inner.blocks)
    return any(bisect_left(starts, block.end) - bisect_left(starts, block.start) > 1 for block in outer.blocks)


def wrapped(plan: Plan, group: Group) -> list[Element]:
    """The element of each block; runs of siblings are put into an element of their own. Changes the tree."""
    tops = [plan.elements[block.start] for block in group.blocks]
    if not group.segmented:
        return tops
    boxes = []
    starts = {plan.elements[block.start] for block in group.blocks}
    for top in tops:
        above = top.getparent()
        if above is None:
            continue
        box = above.makeelement("div")
        above.insert(above.index(top), box)
        follow = box.getnext()
        while follow is not None and (follow is top or follow not in starts):
            after = follow.getnext()
            box.append(follow)
            follow = after
        boxes.append(box)
    return boxes


def frame_of(plan: Plan, group: Group, block: Block) -> list[Element]:
    """A block's element and those around it that hold no other block, innermost first."""
    starts = [one.start for one in group.blocks]
    frame = [plan.elements[block.start]]
    within = bisect_left(starts, block.end) - bisect_left(starts, block.start)
    number = plan.parents[block.start]
    while number >= 0 and len(frame) < 8 and plan.elements[number].tag not in ("body", "html"):
        if bisect_left(starts, plan.ends[number]) - bisect_right(starts, number - 1) != within:
            break
        frame.append(plan.elements[number])
        number = plan.parents[number]
    return frame
