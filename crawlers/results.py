"""Answers of a SearXNG or searx instance to ranked results; JSON of the wrong shape is an error with a reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from crawlers.dates import parse_date
from crawlers.parsing import Links, PageFile, Parsed, ParsedItem
from crawlers.select import absolute
from crawlers.structured import json_of
from crawlers.text import decode, fragment_text
from pipeline.identity import identify, origin_of, permalink_id, uid_of
from pipeline.item import RankedResult
from pipeline.words import Answer, Kind

MAX_RESULTS = 500


def parse_results(page: PageFile) -> Parsed:
    """Ranked results of one answer. No results while engines did not answer is an error, not "nothing found"."""
    text = decode(page.body, page.headers).strip()
    if not text:
        return Parsed(state=Answer.ERROR, reason="the answer is empty")
    if text.startswith("<"):
        return Parsed(state=Answer.ERROR, reason="HTML instead of JSON: allow json in search.formats of the instance")
    try:
        answer = json_of(text)
    except (ValueError, RecursionError) as trouble:
        return Parsed(state=Answer.ERROR, reason=f"this is no JSON: {str(trouble)[:100]}")
    if not isinstance(answer, dict) or not isinstance(answer.get("results"), list):
        return Parsed(state=Answer.ERROR, reason="JSON without a list of results: no answer of SearXNG or searx")
    return _judged(page, answer)


def _judged(page: PageFile, answer: dict[str, Any]) -> Parsed:
    silent = tuple(_unresponsive(answer.get("unresponsive_engines")))
    items = tuple(_items(page, answer["results"][:MAX_RESULTS]))
    said = ", ".join(f"{engine} ({reason})" for engine, reason in silent)
    if items:
        return Parsed(
            state=Answer.OK,
            reason=f"engines that did not answer: {said}" if silent else "",
            items=items,
            results=tuple(_ranked(answer["results"], items)),
            unresponsive=silent,
            links=Links(items=tuple(item.url for item in items if item.url)),
        )
    if answer["results"]:
        return Parsed(state=Answer.ERROR, reason="no result has an address and a title", unresponsive=silent)
    if silent:
        return Parsed(state=Answer.ERROR, reason=f"no results, and engines did not answer: {said}", unresponsive=silent)
    return Parsed(state=Answer.EMPTY, reason="nothing found")


def result_uid(url: str) -> str:
    """uid of the mention this address is, or would be once it is read."""
    return uid_of(origin_of(url), identify([url], permalink=url) or permalink_id(url))


def ranked_items(items: Iterable[ParsedItem], engine: str) -> tuple[RankedResult, ...]:
    """The rows of a list that one engine alone gave."""
    return tuple(
        RankedResult(
            position=item.position,
            url=item.url,
            title=item.title,
            snippet=item.text,
            engines=(engine,),
            uid=result_uid(item.url),
        )
        for item in items
        if item.url is not None and item.position is not None
    )


def _unresponsive(value: Any) -> Iterator[tuple[str, str]]:
    """(engine, reason) in the shapes the versions use: pairs, longer lists, or names alone."""
    for one in value if isinstance(value, list) else ():
        if isinstance(one, str):
            yield one, ""
        elif isinstance(one, list | tuple) and one:
            yield str(one[0]), str(one[1]) if len(one) > 1 else ""


def _items(page: PageFile, results: list[Any]) -> Iterator[ParsedItem]:
    seen: set[str] = set()
    for position, result in enumerate(results, start=1):
        if not isinstance(result, dict):
            continue
        url = absolute(page.url, result["url"]) if isinstance(result.get("url"), str) and result["url"] else None
        title = words(result.get("title"))
        if url is None or not title or url in seen:
            continue
        seen.add(url)
        date = result.get("publishedDate")
        yield ParsedItem(
            kind=Kind.RESULT,
            id=identify([url], permalink=url) or permalink_id(url),
            url=url,
            title=title,
            text=words(result.get("content")),
            published=parse_date(date if isinstance(date, str) else None, page.now, page.zone),
            position=position,
        )


def _ranked(results: list[Any], items: tuple[ParsedItem, ...]) -> Iterator[RankedResult]:
    for item in items:
        if item.url is None or item.position is None:
            continue
        engines = results[item.position - 1].get("engines")
        yield RankedResult(
            position=item.position,
            url=item.url,
            title=item.title,
            snippet=item.text,
            engines=tuple(str(one) for one in engines) if isinstance(engines, list) else (),
            uid=result_uid(item.url),
        )


def words(value: Any) -> str:
    """A piece of markup on one line; empty where it is no text."""
    return " ".join(fragment_text(value).split()) if isinstance(value, str) else ""
