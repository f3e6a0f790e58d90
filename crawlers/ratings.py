"""Reviews of a page as schema.org describes them (JSON-LD, microdata): rating, votes, the owner's answer."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import date
from typing import Any
from urllib.parse import urldefrag

import msgspec

from crawlers.dates import parse_date
from crawlers.parsing import Links, PageFile, Parsed, ParsedItem
from crawlers.select import absolute, base_of, clean_link, select, tree_of
from crawlers.structured import Node, listed, nodes, text_value, types_of
from crawlers.text import Element, fragment_text
from pipeline.identity import canonical_url, folded_letters, native_id, permalink_id, signed_id
from pipeline.words import Answer, Kind

_REVIEWS = frozenset({"Review", "UserReview", "CriticReview", "EmployerReview", "ClaimReview"})
_TEXTS = ("reviewBody", "description", "text")
_ANSWERS = ("comment", "ownerResponse", "reply", "businessResponse", "suggestedAnswer")
_VOTES = ("upvoteCount", "helpfulCount", "helpfulVoteCount", "votes", "voteCount")
_ESCAPED_TAG = re.compile(r"&lt;/?(?:br|p|b|i|strong|em|div|span)\b", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d{1,6}(?:[.,]\d{1,6})?")


class Rating(msgspec.Struct, frozen=True, kw_only=True):
    """A rating as printed and between 0 and 1."""

    value: float | None = None
    raw: str | None = None
    scale: str | None = None


def parse_reviews(page: PageFile) -> Parsed:
    """The reviews and owners' answers of a page, or why there are none. Never raises on any bytes."""
    if not page.body.strip():
        return Parsed(state=Answer.ERROR, reason="the answer is empty")
    tree = tree_of(page)
    base = base_of(tree, page.url)
    found = nodes(tree, base)
    items = tuple(_reviews(page, found))
    lang = (tree.get("lang") or "")[:2].lower() or None
    links = Links(next=_following(tree, base, page.url))
    title = next((text_value(node.get("name")) for node in found if node.get("aggregateRating")), "")
    if items:
        return Parsed(state=Answer.OK, items=items, links=links, lang=lang, thread_title=title)
    total = next((node for node in found if "AggregateRating" in types_of(node)), None)
    if total is not None:
        said = f"only a total rating: {text_value(total.get('ratingValue'))}"
        return Parsed(state=Answer.EMPTY, reason=said, links=links, lang=lang)
    return Parsed(state=Answer.LAYOUT_CHANGED, reason="no schema.org reviews on this page", lang=lang)


def rating_of(value: Any) -> Rating:
    """The rating a review gives: (raw - worst) / (best - worst), 1 to 5 where it names no scale."""
    node = next((one for one in listed(value) if isinstance(one, dict)), None)
    raw = text_value(node.get("ratingValue")) if node is not None else text_value(value)
    found = _number(raw)
    if found is None:
        return Rating()
    worst = _number(text_value(node.get("worstRating"))) if node is not None else None
    best = _number(text_value(node.get("bestRating"))) if node is not None else None
    low, high = (1.0 if worst is None else worst), (5.0 if best is None else best)
    scale = f"{low:g}-{high:g}"
    if high <= low:
        return Rating(raw=raw, scale=scale)
    return Rating(value=min(1.0, max(0.0, (found - low) / (high - low))), raw=raw, scale=scale)


def _number(text: str) -> float | None:
    found = _NUMBER.search(text)
    return float(found[0].replace(",", ".")) if found else None


def _reviews(page: PageFile, found: list[Node]) -> Iterator[ParsedItem]:
    """Each review once, though JSON-LD and microdata may both tell it, followed by its answers."""
    ids: set[str] = set()
    openings: dict[str, list[tuple[date | None, bool]]] = {}
    for node in found:
        if not types_of(node) & _REVIEWS:
            continue
        review = _review(page, node)
        if review is None:
            continue
        opening = f"{folded_letters(review.author or '')} {folded_letters(review.text or review.title, 40)}"
        this = (review.published.at and review.published.at.date(), bool(_own_url(page, node)))
        told = openings.setdefault(opening, [])
        if review.id in ids or any(_one_review(this, other) for other in told):
            continue
        ids.add(review.id)
        told.append(this)
        yield review
        yield from _answers(page, node, review)


def _one_review(one: tuple[date | None, bool], other: tuple[date | None, bool]) -> bool:
    """Whether two reviews of one author with one opening, each by (day, has an address of its own), are the same:
    not if each has its own address, nor if both are dated and the days differ.
    """
    (day, addressed), (other_day, other_addressed) = one, other
    return not (addressed and other_addressed) and (day == other_day or None in (day, other_day))


def _review(page: PageFile, node: Node) -> ParsedItem | None:
    text = _text(node)
    title = _line(node.get("headline")) or _line(node.get("name"))
    rating = rating_of(node.get("reviewRating") or node.get("rating"))
    if not text and not title and rating.value is None:
        return None
    author, account = _author(node)
    url = _own_url(page, node)
    return ParsedItem(
        kind=Kind.REVIEW,
        id=_id(page, node, url, account or author, text or title),
        url=url or canonical_url(page.url),
        author=author,
        author_id=account,
        title="" if title == text else title,
        text=text,
        published=parse_date(_date(node), page.now, page.zone),
        rating=rating.value,
        rating_raw=rating.raw,
        rating_scale=rating.scale,
        votes=_votes(node),
    )


def _answers(page: PageFile, node: Node, review: ParsedItem) -> Iterator[ParsedItem]:
    """What the owner answered: kept beside the review, never counted as opinion."""
    given = [one for name in _ANSWERS for one in listed(node.get(name)) if isinstance(one, dict | str)]
    for index, answer in enumerate(given):
        told: Node = answer if isinstance(answer, dict) else {"text": answer}
        text = _text(told)
        if text:
            author, account = _author(told)
            yield ParsedItem(
                kind=Kind.REPLY,
                id=f"{review.id} reply" + (f" {index + 1}" if index else ""),
                url=review.url,
                author=author,
                author_id=account,
                text=text,
                published=parse_date(_date(told), page.now, page.zone),
                parent=review.id,
                parent_author=review.author,
            )


def _text(node: Node) -> str:
    for name in _TEXTS:
        text = fragment_text(_unescaped(text_value(node.get(name))))
        if text:
            return text
    return ""


def _unescaped(markup: str) -> str:
    """Markup that was escaped once too often is markup again."""
    return html.unescape(markup) if _ESCAPED_TAG.search(markup) else markup


def _line(value: Any) -> str:
    return " ".join(fragment_text(text_value(value)).split())


def _author(node: Node) -> tuple[str | None, str | None]:
    """Name and account; the account by its own address, if the page gives one."""
    author = node.get("author") or node.get("creator")
    name = _line(author) or None
    known = next((one for one in listed(author) if isinstance(one, dict)), {})
    account = text_value(known.get("identifier")) or text_value(known.get("url")) or text_value(known.get("@id"))
    return name, account or None


def _date(node: Node) -> str:
    return text_value(node.get("datePublished")) or text_value(node.get("dateCreated"))


def _votes(node: Node) -> int | None:
    for name in _VOTES:
        found = _number(text_value(node.get(name)))
        if found is not None:
            return int(found)
    for counter in listed(node.get("interactionStatistic")):
        if isinstance(counter, dict) and "Like" in str(counter.get("interactionType", "")):
            found = _number(text_value(counter.get("userInteractionCount")))
            return int(found) if found is not None else None
    return None


def _own_url(page: PageFile, node: Node) -> str | None:
    """The review's own address, if it has one beside that of the page."""
    for name in ("url", "@id"):
        url = absolute(page.url, text_value(node.get(name)))
        if url is not None and canonical_url(url) != canonical_url(page.url):
            return url
        if url is not None and urldefrag(url).fragment:
            return url
    return None


def _id(page: PageFile, node: Node, url: str | None, account: str | None, text: str) -> str:
    """Native id: by the review's address, its identifier, or as the one that person wrote about this thing."""
    if url is not None:
        fragment = urldefrag(url).fragment
        known = native_id(url) or permalink_id(url)
        return f"{known} #{fragment}" if fragment and native_id(url) is None else known
    identifier = text_value(node.get("identifier"))
    return f"review {identifier}" if identifier else signed_id(page.url, account, text)


def _following(tree: Element, base: str, url: str) -> tuple[str, ...]:
    links = select(tree, "link[rel~=next][href], a[rel~=next][href]")
    found = (clean_link(base, link.get("href")) for link in links)
    return tuple(dict.fromkeys(one for one in found if one and one != canonical_url(url)))[:1]
