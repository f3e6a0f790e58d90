"""A page as sums: letters, letters of links, names and times in the order of its elements.

What an element holds is then a difference of two sums, and all that is asked of a page costs no more than its size.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import accumulate, islice

from crawlers.text import Element, brief

MAX_ELEMENTS = 80_000
"""Elements of a page that are looked at."""
_SILENT = frozenset(
    {"script", "style", "noscript", "template", "head", "svg", "select", "option", "textarea", "button", "iframe"}
    | {"object", "math"}
)
_NOISE = re.compile(r"quot|zitat|signature|tooltip|popup|dropdown|menu|avatar|badge", re.IGNORECASE)
_QUOTE = re.compile(
    r"(?:^|[\s_-])(?:quot(?:e|ed|ing)|zitat|bbcode-?quote|quote-?\w+|\w+-?quote)(?:$|[\s_-])", re.IGNORECASE
)
_SIGNATURE = re.compile(r"(?:^|[\s_-])(?:signature|signatur|sig)(?:$|[\s_-])", re.IGNORECASE)
_OWN_WORDS = re.compile(r"content|text|body|message|post", re.IGNORECASE)
_NAME = re.compile(
    r"(?:^|[\s_-])(?:author|autor|user-?name|user-?link|nick(?:name)?|poster|posted-?by|member-?name|display-?name"
    r"|by-?line|user|member|verfasser|ersteller|creator|commenter|profile|hnuser|fn)(?:$|[\s_-])",
    re.IGNORECASE,
)
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
"""Where a word of ``ipsComment`` begins."""
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
    if marks and _NAME.search(CAMEL.sub("-", marks).replace("__", " ")):
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
