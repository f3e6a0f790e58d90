"""Which parts of an unknown page repeat: blocks that look alike, each with a time of its own, a name, words.

One pass over the page notes letters, letters of links, times and names, in the order of the page, so that what an
element holds is a difference of two sums. Elements that share a class, a kind of id or a parent are a group; of each
member counts what does not lie in another member, so that a tree of comments is a group like a list. The group of which
most members are whole, and which holds most of the page's words, is the one. All of it is linear in the page's size.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import accumulate, islice

from crawlers.text import Element, brief

MAX_ELEMENTS = 80_000
"""Elements of a page that are looked at."""
MAX_GROUPS = 20_000
MOST = 1_000
"""Blocks of one page that are read."""
ENOUGH = 0.8
"""Share of blocks from which on something holds for all of them."""
FEW_LETTERS = 2
"""Letters of a text that is one ("+1")."""

_SILENT = frozenset(
    {"script", "style", "noscript", "template", "head", "svg", "select", "option", "textarea", "button", "iframe"}
    | {"object", "math"}
)
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
_NOISE = re.compile(r"quot|zitat|signature|tooltip|popup|dropdown|menu|avatar|badge", re.IGNORECASE)
_QUOTE = re.compile(
    r"(?:^|[\s_-])(?:quot(?:e|ed|ing)|zitat|bbcode-?quote|quote-?\w+|\w+-?quote)(?:$|[\s_-])", re.IGNORECASE
)
_SIGNATURE = re.compile(r"(?:^|[\s_-])(?:signature|signatur|sig)(?:$|[\s_-])", re.IGNORECASE)
_OWN_WORDS = re.compile(r"content|text|body|message|post", re.IGNORECASE)
_NUMBERS = re.compile(r"\d+")
_NAME = re.compile(
    r"(?:^|[\s_-])(?:author|autor|user-?name|user-?link|nick(?:name)?|poster|posted-?by|member-?name|display-?name"
    r"|by-?line|user|member|verfasser|ersteller|creator|commenter|profile|hnuser|fn)(?:$|[\s_-])",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_PROFILE = re.compile(
    r"(?:^|/)(?:users?|members?|memberlist|profile?s?|profil|u|author|mitglied(?:er)?|nutzer|benutzer"
    r"|people|account"
    r"|channel)(?:/|\.php|-|=|\?)|[?&;](?:u|uid|user|userid)=|action=profile|/@[\w.-]+/?$|^/~",
    re.IGNORECASE,
)
TIME_ATTRIBUTES = (
    "datetime", "data-datetime", "data-time", "data-timestamp", "data-utime", "data-unixtime", "data-epoch",
    "data-livestamp", "data-date", "data-created", "data-created-at", "data-published", "data-post-date", "unixtime",
    "ts", "timestamp", "created-timestamp", "date", "title", "data-original-title", "data-title", "content",
    "aria-label",
)  # fmt: skip
"""Attributes that hold a time, those for machines first; ``title`` is for people who point at it, but exact."""
_MONTH = r"(?:jan|feb|mär|mar|mrz|apr|ma[iy]|jun|jul|aug|sep|o[kc]t|nov|de[zc])[a-zä]{0,6}"
PRINTED = re.compile(
    r"(?<!\d)\d{1,2}\.\s?\d{1,2}\.\s?(?:\d{4}|\d{2})(?!\d)|(?<!\d)\d{1,4}[/-]\d{1,2}[/-]\d{1,4}(?!\d)"
    r"|\bvor\s+(?:\w+\s+){0,2}\S+\s+(?:sek|min|st|tag|woch|mon|jahr)\w*|\bvor\s+\d{1,3}\s?(?:s|m|h|d|t|w|j)\b"
    r"|\b(?:\d{1,3}|an?|one|two)\s*(?:s|m|h|d|w|y|sec\w*|min\w*|hours?|hrs?|days?|weeks?|months?|years?|mos?|yrs?)"
    r"\.?\s+ago\b"
    r"|\b(?:gerade eben|soeben|just now|gestern|heute|vorgestern|yesterday|today)\b"
    rf"|\b\d{{1,2}}(?:\.|st|nd|rd|th)?\s+{_MONTH}\b\.?,?(?:\s+\d{{4}}|\s+'\d\d)?"
    rf"|\b{_MONTH}\b\.?\s+\d{{1,2}}(?:st|nd|rd|th)?(?!\d),?(?:\s+\d{{4}})?",
    re.IGNORECASE,
)
"""Something in a text that is most likely a date."""
_OTHER_TIME = re.compile(
    r"regist|joined|join date|(?:dabei|mitglied|member|kunde|aktiv) (?:seit|since)|bearbeit|edited"
    r"|geändert|modified"
    r"|last (?:seen|visit|activ|online)|zuletzt (?:online|aktiv|gesehen|besucht)|geburt|beigetreten"
    r"|aktualisiert|updated"
    r"|letzter besuch|anmeldedatum|angemeldet",
    re.IGNORECASE,
)
_STAMP = re.compile(r"\d{9,13}(?:\.\d+)?|\d{4}-\d\d-\d\d.{0,25}")
_LONGEST = 90


@dataclass(frozen=True, slots=True)
class Stamp:
    """A place that shows a time."""

    at: int
    """Index of the element that shows it."""
    text: str
    """What is to be read as a time."""
    machine: bool
    before: str
    """The words before it in the same element, for what the time is one of."""


@dataclass(slots=True)
class Plan:
    """A page as sums in the order of its elements; ``[i, ends[i])`` are an element and all below it."""

    elements: list[Element]
    ends: list[int]
    parents: list[int]
    letters: list[int]
    linked: list[int]
    names: list[int]
    stamps: list[Stamp]
    stamped: list[int]
    """Index of the element of each stamp, rising."""
    quoted: list[int]
    index: dict[Element, int] = field(default_factory=dict)

    def free(self, start: int, end: int) -> int:
        """Letters that are no link."""
        return (self.letters[end] - self.letters[start]) - (self.linked[end] - self.linked[start])

    def stamps_in(self, start: int, end: int) -> list[Stamp]:
        return self.stamps[bisect_left(self.stamped, start) : bisect_left(self.stamped, end)]


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


def plan_of(tree: Element) -> Plan:
    """The sums of a page."""
    elements: list[Element] = []
    parents: list[int] = []
    index: dict[Element, int] = {}
    for element in islice(tree.iter(), MAX_ELEMENTS):
        if isinstance(element.tag, str):
            index[element] = len(elements)
            elements.append(element)
            parents.append(index.get(element.getparent(), -1))
    size = len(elements)
    ends = [number + 1 for number in range(size)]
    for number in range(size - 1, 0, -1):
        if parents[number] >= 0:
            ends[parents[number]] = max(ends[parents[number]], ends[number])
    silent, link, quoted, named, noise = _states(elements, parents)
    letters, linked = [0] * (size + 1), [0] * (size + 1)
    names, stamps = [0] * (size + 1), []
    for number, element in enumerate(elements):
        if silent[number]:
            continue
        own = _own(element)
        letters[number + 1] = sum(len(part) for part in own)
        linked[number + 1] = letters[number + 1] if link[number] else 0
        names[number + 1] = named[number] and not quoted[number] and not noise[number]
        if not quoted[number] and (stamp := _stamp(number, element, own)) and not _is_other(stamp, element):
            stamps.append(stamp)
    return Plan(
        elements,
        ends,
        parents,
        list(accumulate(letters)),
        list(accumulate(linked)),
        list(accumulate(names)),
        stamps,
        [stamp.at for stamp in stamps],
        quoted,
        index,
    )


def _states(elements: list[Element], parents: list[int]) -> tuple[list[int], ...]:
    """What holds for each element because of itself or of those around it: silent, link, quote, name, noise."""
    size = len(elements)
    silent, link, quoted, named, noise = ([0] * size for _ in range(5))
    for number, element in enumerate(elements):
        above = parents[number]
        marks = element.get("class") or ""
        up = above >= 0
        silent[number] = element.tag in _SILENT or (up and silent[above])
        link[number] = element.tag == "a" or (up and link[above])
        quoted[number] = (up and quoted[above]) or is_quote(element) or bool(marks and _SIGNATURE.search(marks))
        noise[number] = bool(marks and _NOISE.search(marks))
        named[number] = is_name(element)
    return silent, link, quoted, named, noise


def _own(element: Element) -> list[str]:
    """The texts directly in an element."""
    texts = [(element.text or "").strip()]
    texts += [child.tail.strip() for child in element if child.tail and not child.tail.isspace()]
    return [text for text in texts if text]


def is_quote(element: Element) -> bool:
    """Whether an element is another's words; some programs put a post's own into a ``blockquote`` too."""
    if element.tag in ("a", "button", "q", "body", "html"):
        return False
    marks = (element.get("class") or "").replace("__", "-")
    if marks and _QUOTE.search(marks):
        return True
    return element.tag == "blockquote" and not _OWN_WORDS.search(marks)


def is_name(element: Element) -> bool:
    """Whether an element is marked as one that shows who wrote something."""
    if element.get("rel") == "author" or (element.get("itemprop") or "") in ("author", "creator"):
        return True
    marks = f"{element.get('class') or ''} {element.get('data-testid') or ''} {element.get('slot') or ''}".strip()
    if marks and _NAME.search(_CAMEL.sub("-", marks).replace("__", " ")):
        return True
    if element.get("data-author") or element.get("data-username") or element.get("data-user-name"):
        return True
    return element.tag == "a" and bool(_PROFILE.search(element.get("href") or ""))


def _stamp(number: int, element: Element, own: list[str]) -> Stamp | None:
    for name in TIME_ATTRIBUTES:
        value = element.get(name)
        if value and len(value) <= _LONGEST and _says_time(name, value.strip()):
            exact = bool(_STAMP.fullmatch(value.strip()))
            return Stamp(number, value.strip(), exact or element.tag == "time", own[0] if own else "")
    for place, text in enumerate(own):
        found = PRINTED.search(text[: 3 * _LONGEST])
        if found and (len(text) <= _LONGEST or found.start() <= 30):
            start = max(0, found.start() - 12)
            before = " ".join(own[:place])[-40:] + " " + text[: found.start()][-40:]
            return Stamp(number, text[start : found.end() + 30] if len(text) > _LONGEST else text, False, before)
    return None


def _is_other(stamp: Stamp, element: Element) -> bool:
    """Whether a time is that of an account or of an edit."""
    before = element.getprevious()
    near = brief(before) if before is not None and len(before) < 3 else ""
    near = near if len(near) <= 30 and not re.search(r"\d{2}", near) else ""
    above = element.getparent()
    head = (above.text or "")[-40:] if above is not None and before is None else ""
    marks = f"{element.get('class') or ''} {above.get('class') or '' if above is not None else ''}"
    tail = (before.tail or "")[-40:] if before is not None else ""
    return bool(
        _OTHER_TIME.search(f"{near} {tail} {head} {stamp.before} {stamp.text if not stamp.machine else ''}")
        or re.search(r"join|regist|edit|last-?visit|birth", marks, re.IGNORECASE)
    )


def _says_time(name: str, value: str) -> bool:
    if name in ("title", "data-original-title", "data-title", "content", "aria-label", "date", "ts"):
        return bool(PRINTED.search(value) and re.search(r"\d", value) and len(value) < 60) or (
            name in ("date", "ts", "content") and bool(_STAMP.fullmatch(value)) and not value.isdigit()
        )
    return bool(_STAMP.fullmatch(value) or PRINTED.search(value))


# --- groups -----------------------------------------------------------------------------------------------------


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
