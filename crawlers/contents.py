"""What each of several blocks that look alike says: the part without name and time that holds most words in most."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec

from crawlers.bylines import When, Writer, look_of
from crawlers.outline import PRINTED, is_quote
from crawlers.text import Element, Extract, brief, own_words

_PARTS = frozenset({"div", "td", "section", "article", "dd", "li", "main", "span", "blockquote", "center", "p"})
_BARE = frozenset({"span", "p"})
"""Parts by their class alone: else they are a piece of a text."""
_GOOD = re.compile(
    r"text|content|inhalt|body|message|nachricht|entry|comment|kommentar|beitrag|descri|answer|antwort"
    r"|question|markdown"
    r"|bbcode|post|prose|html",
    re.IGNORECASE,
)
_BAD = re.compile(
    r"head|foot|meta|info|author|title|user|date|time|action|tool|button|sign|avatar|control|share|rating"
    r"|profile|sidebar"
    r"|badge|stat|reaction|attach|related|notice|edit",
    re.IGNORECASE,
)
_CLUTTER = re.compile(
    r"(?:^|[\s_-])(?:signature|signatur|sig|share|sharing|social|likes?|votes?|voting|actions?|tool(?:bar"
    r"|s)?|edited|edit-?info"
    r"|last-?edit|report|melden|reply-?(?:link|button|to)|reply|buttons?|reactions?|permalink|controls?"
    r"|ads?|advert\w*|werbung"
    r"|post-?meta|comment-?meta|metadata|comment-?(?:footer|actions)|sr-only|visually-hidden"
    r"|screen-reader-text|awards?"
    r"|rating|flag|modal|tooltip|copyright|collapse-?link)(?:$|[\s_-])",
    re.IGNORECASE,
)
_WORDS = re.compile(
    r"[\W_]*(?:antworten|reply|zitieren|quote|melden|report|permalink|link|teilen|share|bearbeiten|edit"
    r"|gefällt mir(?: nicht)?"
    r"|like|dislike|hilfreich|helpful|danke|flag|parent|prev|next|root|context|zitat|nach oben|top|more"
    r"|mehr|folgen|follow"
    r"|kommentieren|löschen|delete|save|speichern|#?\d{1,6}|\[[-–+]\])[\W_]*(?:\d{1,6})?",
    re.IGNORECASE,
)
_WROTE = re.compile(
    r"^(?:(?:zitat|quote)(?:\s+(?:von|from|by))?|originally posted by|(?:ursprünglich"
    r"|original) (?:geschrieben|verfasst) von"
    r"|antwort auf|in reply to|replying to)[:\s]+(?P<late>.{2,60}?)\s*(?:[»:(].*)?$"
    r"|^(?:am .{6,40} )?(?P<name>[^:]{2,60}?)\s+(?:hat (?:folgendes )?geschrieben|schrieb|wrote|said"
    r"|meinte|sagte)\b.*",
    re.IGNORECASE,
)
_ANSWERS = re.compile(
    r"^(?:@|(?:als )?antwort (?:auf|an)|in reply to|replying to|to)\s*:?\s*(?P<name>[^,:\n]{2,40})", re.I
)
_GONE = re.compile(
    r"\W*(?:(?:dieser?|this) )?(?:(?:beitrag|kommentar|nachricht|antwort|post|comment|message|answer) )?"
    r"(?:(?:wurde|has been|was|is|ist) )?(?:(?:von|by|durch) .{1,60}? )?(?:am .{4,30}? )?"
    r"(?:gelöscht|entfernt|deleted|removed|ausgeblendet|hidden)"
    r"(?:\W*|\s+(?:von|by|durch|am|on)\b[^!?]{1,80}|\W{1,3}(?:grund|reason|begründung)\b.{0,120})",
    re.IGNORECASE | re.DOTALL,
)


MAX_HEAD = 60
"""Letters beside the name of a part that is a post's head: a time, "Beitrag 7"."""
_LABEL = re.compile(r"(?:quote|zitat|citat|code)\s*:?", re.IGNORECASE)
_BYLINE = re.compile(
    rf"^[^.!?\n]{{0,40}}?(?:{PRINTED.pattern})(?:\s*(?:um|at|,|-"
    rf"|–)?\s*\d{{1,2}}[:.]\d{{2}}(?::\d{{2}})?(?:\s*[ap]\.?m\.?)?(?:\s*Uhr)?)?"
    r"[\s:)\]|,–-]*",
    re.IGNORECASE,
)


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What one block says."""

    extract: Extract
    title: str = ""
    answered: str | None = None
    """Name of who is quoted or answered."""
    links: tuple[str, ...] = ()
    """Where quotes lead."""
    deleted: bool = False


def said_in(
    scopes: Sequence[Element], writers: Sequence[Writer | None], times: Sequence[When | None]
) -> Iterator[Said]:
    """What the blocks say, in order. Changes the tree: what was read is taken out of it."""
    held = [_held(*three) for three in zip(scopes, writers, times, strict=True)]
    weights = [_weights(scope) for scope in scopes]
    way = _way(scopes, held, weights)
    for scope, above, weight, writer, time in zip(scopes, held, weights, writers, times, strict=True):
        part = _part(scope, above, weight, way)
        title = _title(scope, part, writer)
        if part is None:
            told = len(writer.name) if writer else 0
            yield _said(scope, [*_heads(scope, above, weight, told), *_titles(scope)], title, writer, time)
        else:
            yield _said(part, [], title, writer, None)


def _held(scope: Element, writer: Writer | None, time: When | None) -> set[Element]:
    """The elements around name and time, within the block."""
    held: set[Element] = set()
    for element in (writer.element if writer else None, time.element if time else None):
        while element is not None and element not in held:
            held.add(element)
            if element is scope:
                break
            element = element.getparent()
    return held


_SILENT = frozenset({"script", "style", "noscript", "template", "button", "select", "textarea", "svg", "head", "a"})


def _weights(scope: Element) -> dict[Element, int]:
    """Letters that are no link, of every element of a block."""
    weights: dict[Element, int] = {}
    for element in reversed(list(scope.iter())):
        if not isinstance(element.tag, str) or element.tag in _SILENT:
            weights[element] = 0
            continue
        own = len((element.text or "").strip()) + sum(len((child.tail or "").strip()) for child in element)
        weights[element] = own + sum(weights.get(child, 0) for child in element)
    return weights


def _way(scopes: Sequence[Element], held: list[set[Element]], weights: list[dict[Element, int]]) -> str | None:
    """How the part that holds the words looks; None where no such part is apart from name and time."""
    total: dict[str, float] = defaultdict(float)
    depth: dict[str, list[int]] = defaultdict(list)
    for scope, above, weight in zip(scopes, held, weights, strict=True):
        best: dict[str, tuple[int, int]] = {}
        deep: dict[Element, int] = {scope: 0}
        for element in scope.iter():
            if element is not scope:
                deep[element] = deep.get(element.getparent(), 0) + 1
            if _is_part(element, above):
                look = look_of(element)
                best[look] = max(best.get(look, (0, 0)), (weight[element], -deep[element]))
        for look, (letters, place) in best.items():
            total[look] += min(letters, 4_000)
            depth[look].append(-place)
    if not total:
        return None
    most = {look: letters * _hint(look) for look, letters in total.items()}
    best_letters = max(most.values())
    near = [look for look in most if most[look] >= 0.92 * best_letters]
    look = max(near, key=lambda one: (sum(depth[one]) / len(depth[one]), most[one]))
    all_letters = sum(min(weight[scope], 4_000) for scope, weight in zip(scopes, weights, strict=True))
    return (
        look if total[look] >= 0.35 * all_letters or (_GOOD.search(look) and total[look] > 0.2 * all_letters) else None
    )


def _is_part(element: Element, held: set[Element]) -> bool:
    if element in held or not isinstance(element.tag, str) or (element.tag == "blockquote" and is_quote(element)):
        return False
    if element.tag not in _PARTS and "-" not in element.tag:
        return False
    return element.tag not in _BARE or bool(element.get("class"))


def _hint(look: str) -> float:
    marks = look.partition(".")[2]
    good = 1.3 if _GOOD.search(marks) else 1.0
    return good * (0.6 if _BAD.search(marks) else 1.0)


def _part(scope: Element, held: set[Element], weight: dict[Element, int], way: str | None) -> Element | None:
    """The block's part of that look with most words; where it has none, whatever part has most."""
    if way is None:
        return None
    parts = [one for one in scope.iter() if _is_part(one, held)]
    alike = [one for one in parts if look_of(one) == way]
    if alike:
        return max(alike, key=lambda one: weight[one])
    named = [one for one in parts if _hint(look_of(one)) > 1]
    return max(named, key=lambda one: weight[one], default=None)


def _heads(scope: Element, held: set[Element], weight: dict[Element, int], told: int) -> Iterator[Element]:
    """The largest parts that hold name or time and hardly anything else (``told``: letters of the name)."""
    waiting = [scope]
    while waiting:
        for child in waiting.pop():
            if child not in held:
                continue
            own = weight.get(child, 0)
            if own - told <= MAX_HEAD and weight[scope] - own >= min(2, own):
                yield child
            else:
                waiting.append(child)


def _titles(scope: Element) -> list[Element]:
    return list(islice(scope.iter("h1", "h2", "h3", "h4", "h5", "h6"), 3))


def _title(scope: Element, part: Element | None, writer: Writer | None) -> str:
    name = writer.element if writer else None
    for element in scope.iter():
        if element is part or not isinstance(element.tag, str):
            continue
        marks = element.get("class") or ""
        heading = element.tag in ("h1", "h2", "h3", "h4", "h5", "h6")
        if heading or re.search(r"(?:^|[\s_-])(?:subject|betreff|(?:post|comment)-?title)(?:$|[\s_-])", marks, re.I):
            inside = part is not None and part in element.iterancestors()
            holds = name is not None and (name is element or element in name.iterancestors())
            words = brief(element, 220)
            if not inside and not holds and 2 < len(words) <= 200 and (writer is None or words != writer.name):
                return words
    return ""


def _said(content: Element, heads: list[Element], title: str, writer: Writer | None, time: When | None) -> Said:
    quotes = _quotes(content)
    answered, links = _answered(quotes)
    drop = [*heads, *_clutter(content, set(quotes))]
    extract = own_words(content, quotes=quotes, drop=drop)
    text = _without_byline(extract.text, writer) if time is not None else extract.text
    gone = says_gone(text)
    to = _ANSWERS.match(text) if answered is None else None
    return Said(
        extract=msgspec.structs.replace(extract, text="" if gone else text),
        title=title,
        answered=answered or (to["name"].strip() if to else None),
        links=links,
        deleted=gone,
    )


def says_gone(text: str) -> bool:
    """Whether a text is what a forum puts in the place of a post that was deleted."""
    return len(text) <= 200 and bool(_GONE.fullmatch(text))


def _quotes(content: Element) -> list[Element]:
    found = [one for one in content.iter() if one is not content and isinstance(one.tag, str) and is_quote(one)]
    every = {*found, *_labelled(content)}
    return [one for one in content.iter() if one in every and not any(up in every for up in one.iterancestors())]


def _labelled(content: Element) -> Iterator[Element]:
    """Quotes that a word alone tells: "Zitat:" above a table or a box."""
    for element in content.iter("div", "span", "td", "b", "strong", "p"):
        if element is content or len(element) > 2 or not _LABEL.fullmatch(brief(element, 20)):
            continue
        above, after = element.getparent(), element.getnext()
        if (
            above is not content
            and above.tag in ("div", "td", "fieldset")
            and len(above) < 4
            and not (above.text or "").strip()
        ):
            yield above
        elif after is not None and after.tag in ("div", "table", "blockquote", "fieldset"):
            yield element
            yield after


def _answered(quotes: list[Element]) -> tuple[str | None, tuple[str, ...]]:
    for quote in reversed(quotes):
        for name in ("data-quote", "data-author", "data-username", "author", "cite-author"):
            if quote.get(name):
                return str(quote.get(name)).strip()[:60] or None, _hrefs(quote)
        heads = [
            one for one in quote.iter("cite", "div", "p", "span", "strong", "b", "header", "td") if one is not quote
        ]
        before = quote.getprevious()
        for head in [*heads[:4], *([before] if before is not None and len(before) < 4 else [])]:
            words = brief(head, 120)
            wrote = _WROTE.match(words) if len(words) <= 120 else None
            if wrote:
                return (wrote["late"] or wrote["name"]).strip(' :»"'), _hrefs(quote)
    return None, tuple(url for quote in quotes for url in _hrefs(quote))[:4]


def _hrefs(quote: Element) -> tuple[str, ...]:
    own = [quote.get("cite")] if quote.get("cite") else []
    return (*own, *(link.get("href") for link in list(quote.iter("a"))[:4] if link.get("href")))


def _clutter(content: Element, quotes: set[Element]) -> list[Element]:
    """What is no word of the writer: signatures, buttons, links to answer or report."""
    found: list[Element] = []
    for element in content.iter():
        if element is content or not isinstance(element.tag, str) or element in quotes:
            continue
        marks = f"{element.get('class') or ''} {element.get('id') or ''}".strip()
        if element.tag in ("form", "button", "nav", "input") or (marks and _CLUTTER.search(marks.replace("__", "-"))):
            found.append(element)
        elif element.tag in ("a", "span", "small") and len(element) < 3:
            words = brief(element, 220)
            if words and len(words) < 30 and _WORDS.fullmatch(words) and not (element.tail or "").strip():
                found.append(element)
    every = set(found)
    return [one for one in found if not any(up in every or up in quotes for up in one.iterancestors())]


def _without_byline(text: str, writer: Writer | None) -> str:
    """The words of a block whose head could not be told apart, without a name in front."""
    if writer is None:
        return text
    plain = text.removeprefix(writer.name).lstrip(" :,–-\n")
    return _BYLINE.sub("", plain, count=1)
