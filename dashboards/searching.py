"""A search as an address says it: query text, filters, span of time, page, moment. The text is the one truth."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from alerts.incidents import UnknownIncident, get_incident, incident_number, members
from dashboards.house import House
from pipeline.configuration import Configuration
from pipeline.duration import parse_duration
from pipeline.query.parse import Known, parse
from pipeline.query.tree import Query

FILTERS = ("brand", "tone", "channel", "source", "kind")
SPANS = ("24h", "7d", "30d", "365d", "all")
DEFAULT_SPAN = "7d"
LARGEST = 10**12
"""No incident has such a number; both databases would refuse one beyond 64 bits."""
_EITHER = re.compile(r"\bOR\b|\|\|")
_PLAIN = re.compile(r"[\w.-]+")


class BadParameter(ValueError):
    """A parameter of the address cannot be understood."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for. ``text`` holds the filters too; times are aware."""

    text: str
    span: str
    start: datetime | None
    end: datetime | None
    as_of: datetime | None
    after: str | None
    copies: bool


def search_of(configuration: Configuration, parameters: Mapping[str, str], now: datetime) -> Search:
    """The search of an address. Raises BadParameter."""
    text = parameters.get("q", "").strip()
    for name in FILTERS:
        if parameters.get(name):
            text = narrowed(text, name, parameters[name].strip())
    start, end = (_moment(parameters, name, configuration) for name in ("from", "to"))
    span = "" if start or end else parameters.get("span") or DEFAULT_SPAN
    return Search(
        text=text,
        span=span,
        start=start if not span else _span_start(span, now),
        end=end,
        as_of=_moment(parameters, "as_of", configuration),
        after=parameters.get("after") or None,
        copies=bool(parameters.get("copies")),
    )


def _span_start(span: str, now: datetime) -> datetime | None:
    if span == "all":
        return None
    try:
        return now - parse_duration(span)
    except (ValueError, OverflowError):
        raise BadParameter("span", f"{span!r} is no span of time") from None


def _moment(parameters: Mapping[str, str], name: str, configuration: Configuration) -> datetime | None:
    """A time of an address: ISO 8601; without a zone it is the reader's local time."""
    text = parameters.get(name, "").strip().replace(" ", "+")
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=configuration.timezone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadParameter(name, f"{text!r} is no time; write for example 2026-11-20T09:40") from None


def query_of(house: House, text: str, now: datetime) -> Query:
    """The parsed search. Raises QueryError with the position of the character, NotReady."""
    configuration = house.load()
    resolvers = {"incident": lambda value: incident_members(house, value)}
    known = Known(brands=frozenset(configuration.brands), sources=frozenset(configuration.sources))
    return parse(text, now=now, zone=configuration.timezone, resolvers=resolvers, known=known)


def incident_members(house: House, value: str) -> frozenset[str]:
    """The uids of an incident's mentions, for ``incident:R-0001``. Raises UnknownIncident."""
    number = incident_number(value)
    if number >= LARGEST:
        raise UnknownIncident(value)
    with house.state().read() as connection:
        get_incident(connection, number)
        return members(connection, number)


def term(field: str, value: str) -> str:
    """``field:value`` as the query language writes it."""
    return f"{field}:{value}" if _PLAIN.fullmatch(value) else f'{field}:"{value}"'


def narrowed(text: str, field: str, value: str) -> str:
    """The search with one more condition; what has alternatives is put in brackets first."""
    wanted = term(field, value)
    if has(text, field, value):
        return text
    if not text:
        return wanted
    return f"({text}) {wanted}" if _EITHER.search(text) else f"{text} {wanted}"


def has(text: str, field: str, value: str) -> bool:
    """Whether a search already carries that condition as a member of its own."""
    return _member(field, value).search(text) is not None


def widened(text: str, field: str, value: str) -> str:
    """The search without that condition."""
    return re.sub(r"\s+", " ", _member(field, value).sub(" ", text)).strip()


def _member(field: str, value: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|(?<=\s))(?:AND\s+)?{re.escape(term(field, value))}(?=\s|$)", re.IGNORECASE)
