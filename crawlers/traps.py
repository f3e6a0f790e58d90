"""Links that lead on for ever: days of a calendar, pages of thousands of links, boards within boards without end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from crawlers.parsing import ThreadRow

MOST_LINKS = 500
"""Threads that one page may name, and boards; the lists of real forums hold a fifth of it."""
DEEPEST = 8
"""Boards within boards."""
AHEAD = timedelta(days=2)
"""A list whose last row is further in the future is one of dates to come; zones and clocks explain less."""

CALENDAR, MANY_LINKS, ENDLESS = "calendar", "many_links", "endless"

_PATH = re.compile(  # a number before a date is that of a thread, which may be called by one
    r"(?:/[^/]*)*/(?:calendar|kalender)(?:\.php|\.html?)?(?:/|$)"
    r"|(?:/[^/\d]+)*/(?:19|20)\d\d(?:/(?:0?[1-9]|1[0-2])(?:/\d{1,2})?|-\d\d(?:-\d\d)?)/?$",
    re.IGNORECASE,
)
_PARAMETER = re.compile(
    r"(?:^|[&;?/])(?:(?:action|app|do|module|route)=(?:calendar|kalender)\b"
    r"|(?:year|month|week|day|date|jahr|monat|woche|datum)=\d{1,4}(?:-\d{1,2}){0,2}(?:[&;/]|$))",
    re.IGNORECASE,
)


def is_calendar(url: str) -> bool:
    """Whether an address is that of a day, a month or a year: each leads to the next."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(_PATH.match(parts.path[:2_000]) or _PARAMETER.search(parts.query[:2_000]))


class Traps:
    """Refuses links of one visit, and counts them by the rule that did."""

    def __init__(self, own: str, now: datetime) -> None:
        """``own``: the address of the source; what a person named is read, whatever it looks like."""
        self.refused: Counter[str] = Counter()
        self._calendars, self._now = is_calendar(own), now
        self._depth: dict[str, int] = {}

    def rows(self, found: Iterable[ThreadRow], above: str | None = None) -> Iterator[ThreadRow]:
        """The threads or boards that may be read; ``above``: the board whose page names them."""
        depth = self._depth.get(above or "", 0) + 1
        for number, row in enumerate(found):
            if number >= MOST_LINKS:
                self.refused[MANY_LINKS] += 1
            elif depth > DEEPEST:
                self.refused[ENDLESS] += 1
            elif self._leads_on(row.url):
                self._depth.setdefault(row.id, depth)
                yield row

    def onward(self, url: str, rows: Iterable[ThreadRow]) -> bool:
        """Whether a list may be read on at an address, given the rows that move with time on the page before it."""
        last = next(iter([row.last_time for row in rows if not row.sticky][-1:]), None)
        if last is not None and last > self._now + AHEAD:
            self.refused[CALENDAR] += 1
            return False
        return self._leads_on(url)

    def _leads_on(self, url: str) -> bool:
        if not self._calendars and is_calendar(url):
            self.refused[CALENDAR] += 1
            return False
        return True
