"""Dates as pages print them, in German and English, turned into times with the precision the page really gives."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from typing import Literal

import dateparser

from pipeline.item import Published
from pipeline.words import Precision

Order = Literal["DMY", "MDY", "YMD"]
"""The order of day, month and year in dates of digits."""

LONGEST = 200
"""A text longer than this is no date."""

_ISO = re.compile(
    r"(\d{4})-(\d\d)(?:-(\d\d))?(?:[T ](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?)?",
    re.IGNORECASE,
)
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "januar jänner jan january", "februar feber feb february", "märz maerz mär mrz mar march",
            "april apr", "mai may", "juni jun june", "juli jul july", "august aug",
            "september sep sept", "oktober okt october oct", "november nov", "dezember dez december dec",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_CLOCK = r"(?P<h>\d{1,2})[:.](?P<min>\d{2})(?::(?P<s>\d{2}))?(?:\s*(?P<half>[ap])\.?\s?m\b\.?)?"
_TIME = re.compile(rf"(?<![\d:.]){_CLOCK}(?![\d:]|\.\d)(?:\s*uhr)?", re.IGNORECASE)
_HOUR = re.compile(r"\b(?P<h>\d{1,2})\s*(?:uhr|(?P<half>[ap])\.?m\b\.?)", re.IGNORECASE)
_NUMERIC = re.compile(r"(?<![\d.])(\d{1,4})([./-])(\d{1,2})\2(\d{2,4})(?!\d)")
_DAY_FIRST = re.compile(rf"\b(\d{{1,2}})(?:\.|st|nd|rd|th)?\s*(?:of\s+)?({_MONTH})\b\.?,?\s*(\d{{4}}|'\d\d)?", re.I)
_MONTH_FIRST = re.compile(rf"\b({_MONTH})\b\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?\b(?!:)(?:,?\s+(\d{{4}}))?", re.I)
_MONTH_ONLY = re.compile(rf"\b({_MONTH})\b\.?,?\s+(\d{{4}})\b", re.I)
_ZONE = re.compile(r"(?:\b(?:UTC|GMT)\b|\bZ\b)?\s*([+-]\d{2}):?(\d{2})\b|\b(UTC|GMT)\b|\b(CES?T|MES?Z)\b")

_NOW = re.compile(
    r"\b(gerade eben|soeben|eben gerade|just now|right now|jetzt gerade|jetzt|vor wenigen (?:sekunden|augenblicken)"
    r"|(?:a )?few seconds ago|a moment ago|moments ago)\b",
    re.IGNORECASE,
)
_WORD_DAYS = {
    "vorgestern": -2, "gestern": -1, "yesterday": -1, "heute": 0, "today": 0, "morgen": 1, "tomorrow": 1,
}  # fmt: skip
_WEEKDAYS = {
    name: number
    for number, names in enumerate(
        ("montag monday", "dienstag tuesday", "mittwoch wednesday", "donnerstag thursday", "freitag friday",
         "samstag sonnabend saturday", "sonntag sunday"),
    )
    for name in names.split()
}  # fmt: skip
_COUNTS = {
    "einem": 1, "einer": 1, "einen": 1, "ein": 1, "a": 1, "an": 1, "one": 1, "zwei": 2, "two": 2, "drei": 3, "three": 3,
    "vier": 4, "four": 4, "fünf": 5, "five": 5, "sechs": 6, "six": 6, "sieben": 7, "seven": 7, "acht": 8, "eight": 8,
    "neun": 9, "nine": 9, "zehn": 10, "ten": 10, "elf": 11, "eleven": 11, "zwölf": 12, "twelve": 12,
}  # fmt: skip
_UNITS: tuple[tuple[str, timedelta, Precision], ...] = (
    (r"sekunden?|sek\.?|seconds?|secs?", timedelta(seconds=1), Precision.SECOND),
    (r"minuten?|min\.?|minutes?|mins?", timedelta(minutes=1), Precision.MINUTE),
    (r"stunden?|std\.?|hours?|hrs?|h", timedelta(hours=1), Precision.HOUR),
    (r"tag(?:e|en)?|days?|t\.?|d", timedelta(days=1), Precision.DAY),
    (r"wochen?|weeks?|wo\.?|w", timedelta(weeks=1), Precision.DAY),
    (r"monat(?:e|en)?|months?|mon\.?", timedelta(days=30.4375), Precision.MONTH),
    (r"jahr(?:e|en)?|years?|yrs?|j\.?", timedelta(days=365.25), Precision.MONTH),
)
_UNIT = "|".join(f"(?:{pattern})" for pattern, _, _ in _UNITS)
_COUNT = rf"(?P<n>\d{{1,4}}|{'|'.join(_COUNTS)})"
_MORE = r"(?P<more>mehr als|über|more than|over)\s+"
_LESS = r"(?P<less>weniger als|less than|under)\s+"
_ABOUT = r"(?:etwa|ca\.?|ungefähr|rund|about|around|almost|fast|knapp)\s+"
_AGO = (
    re.compile(rf"\bvor\s+(?:{_MORE}|{_LESS}|{_ABOUT})?{_COUNT}\s*(?P<unit>{_UNIT})(?!\w)", re.I),
    re.compile(rf"(?:{_MORE}|{_LESS}|{_ABOUT})?\b{_COUNT}\s*(?P<unit>{_UNIT})\s+ago\b", re.I),
)
_DAY_FIRST_ENGLISH = ("-gb", "-uk", "-au", "-nz", "-ie", "-za", "-in")
_NOON = re.compile(r"\b(?:midnight|noon)\b", re.IGNORECASE)
_HALF_DAY = re.compile(r"\d\s*[ap]\.?m\b", re.IGNORECASE)
_LEAD = re.compile(r"^.*[»«|]\s*(?=\S*\d|\S*(?:gestern|heute|vor|yesterday|today))", re.I | re.S)


def parse_date(text: str | None, now: datetime, zone: tzinfo, *, order: Order = "DMY") -> Published:
    """The time a printed date means, counted from ``now`` and in ``zone`` where it names none.

    ``order`` settles dates of digits alone. Dates before 1971 or after ``now`` come back as found. What is no date
    gives an empty ``Published``; nothing raises.
    """
    cleaned = " ".join((text or "").split())
    if not cleaned or len(cleaned) > LONGEST:
        return Published()
    try:
        return _first(cleaned, now, zone, order)
    except (ValueError, OverflowError):
        return Published()


def from_timestamp(value: float | str | None) -> Published:
    """A UNIX time in seconds or, where it is too large for that, milliseconds."""
    try:
        seconds = float(value) if value is not None else None
        if seconds is None:
            return Published()
        at = datetime.fromtimestamp(seconds / 1000 if abs(seconds) > 1e11 else seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return Published()
    return Published(at=at, precision=Precision.SECOND)


def learn_order(texts: Iterable[str], default: Order = "DMY") -> Order:
    """The order of day and month that the dates of one page or board show by values above 12."""
    return shown_order(texts) or default


def shown_order(texts: Iterable[str]) -> Order | None:
    """The order that dates of digits show by values above 12; None where none does, or where they disagree."""
    votes = {"DMY": 0, "MDY": 0}
    for text in texts:
        for first, sign, second, _ in _NUMERIC.findall(text):
            if sign != "." and len(first) <= 2:
                votes["DMY"] += 12 < int(first) <= 31 and int(second) <= 12
                votes["MDY"] += 12 < int(second) <= 31 and int(first) <= 12
    if votes["DMY"] == votes["MDY"]:
        return None
    return "DMY" if votes["DMY"] > votes["MDY"] else "MDY"


def usual_order(lang: str | None, texts: Iterable[str]) -> Order:
    """The order where nothing shows it: day first, but for English pages of America with a twelve-hour clock."""
    tag = (lang or "").lower().replace("_", "-")
    american = tag.startswith("en") and not tag.endswith(_DAY_FIRST_ENGLISH)
    return "MDY" if american and any(_HALF_DAY.search(text) for text in texts) else "DMY"


def exact(at: datetime, precision: Precision = Precision.SECOND) -> Published:
    """A time that needs no bounds, in the given precision."""
    return Published(at=at, precision=precision)


def _first(text: str, now: datetime, zone: tzinfo, order: Order) -> Published:
    machine = _machine(text, zone)
    if machine is not None:
        return machine
    if _LEAD.match(text):
        text = _LEAD.sub("", text)
    readers = (_right_now, _ago, _word_day, _printed, _weekday)
    for reader in readers:
        found = reader(text, now, zone, order)
        if found is not None:
            return found
    return _by_library(text, now, zone, order)


def _machine(text: str, zone: tzinfo) -> Published | None:
    """ISO 8601 and the date of mail and feeds; whatever a machine wrote for machines."""
    found = _ISO.fullmatch(text)
    if found is not None:
        return _from_iso(found, zone)
    if re.match(r"(?:[A-Za-z]{3},\s*)?\d{1,2} [A-Za-z]{3} \d{2,4} \d{1,2}:\d{2}", text):
        try:
            at = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError):
            return None
        seconds = re.search(r"\d:\d\d:\d\d", text)
        return Published(
            at=at if at.tzinfo else _local(at, zone), precision=Precision.SECOND if seconds else Precision.MINUTE
        )
    return None


def _from_iso(found: re.Match[str], zone: tzinfo) -> Published | None:
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    if day is None:
        return _month(int(year), int(month), zone)
    if hour is None:
        return _day(int(year), int(month), int(day), zone)
    naive = datetime(int(year), int(month), int(day), int(hour), int(minute), min(int(second or 0), 59))  # noqa: DTZ001
    naive = naive.replace(microsecond=int((fraction or "0")[:6].ljust(6, "0")))
    at = naive.replace(tzinfo=_offset(offset)) if offset else _local(naive, zone)
    return Published(at=at, precision=Precision.SECOND if second else Precision.MINUTE)


def _offset(text: str) -> tzinfo:
    if text.upper() == "Z":
        return UTC
    digits = text[1:].replace(":", "")
    span = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return timezone(-span if text[0] == "-" else span)


def _right_now(text: str, now: datetime, zone: tzinfo, order: Order) -> Published | None:
    if not _NOW.search(text):
        return None
    return Published(at=now, precision=Precision.MINUTE, lower=now - timedelta(minutes=1), upper=now)


def _ago(text: str, now: datetime, zone: tzinfo, order: Order) -> Published | None:
    found = next((hit for pattern in _AGO if (hit := pattern.search(text))), None)
    if found is None:
        return None
    count = int(found["n"]) if found["n"].isdigit() else _COUNTS[found["n"].lower()]
    span, precision = next((s, p) for pattern, s, p in _UNITS if re.fullmatch(pattern, found["unit"], re.I))
    at = now - count * span
    if found["more"]:
        return Published(at=None, precision=Precision.UNKNOWN, lower=_more_than(count, span, now), upper=at)
    if found["less"]:
        return Published(at=None, precision=Precision.UNKNOWN, lower=at, upper=now)
    # "vor 2 Stunden" is cut off, not rounded: between two and three hours ago
    return Published(at=at, precision=precision, lower=now - (count + 1) * span, upper=at)


def _more_than(count: int, span: timedelta, now: datetime) -> datetime | None:
    """ "More than two weeks" means less than three; "more than a year" has no end that could be named."""
    return now - (count + 1) * span if span < timedelta(days=300) else None


def _word_day(text: str, now: datetime, zone: tzinfo, order: Order) -> Published | None:
    found = re.search(rf"\b({'|'.join(_WORD_DAYS)})\b", text, re.I)
    if found is None:
        return None
    day = (now.astimezone(zone) + timedelta(days=_WORD_DAYS[found[1].lower()])).date()
    return _with_time(day.year, day.month, day.day, text, zone)


def _weekday(text: str, now: datetime, zone: tzinfo, order: Order) -> Published | None:
    """The last such weekday before today: "letzten Montag", "Dienstag, 14:05"."""
    found = re.search(rf"\b({'|'.join(_WEEKDAYS)})\b", text, re.I)
    if found is None:
        return None
    today = now.astimezone(zone).date()
    day = today - timedelta(days=(today.weekday() - _WEEKDAYS[found[1].lower()] - 1) % 7 + 1)
    return _with_time(day.year, day.month, day.day, text, zone)


def _printed(text: str, now: datetime, zone: tzinfo, order: Order) -> Published | None:
    """Any date with its month as a word or a number, wherever it stands in the text."""
    found = _NUMERIC.search(text)
    if found is not None:
        year, month, day = _sorted(found[1], found[2], found[3], found[4], order)
        return _with_time(year, month, day, text[: found.start()] + " " + text[found.end() :], zone)
    iso = re.search(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d\S*", text)
    if iso is not None:
        return _machine(iso[0], zone)
    worded = _worded(text, now, zone)
    if worded is not None:
        year, month, day, rest = worded
        return _with_time(year, month, day, rest, zone)
    found = _MONTH_ONLY.search(text)
    return _month(int(found[2]), _MONTHS[found[1].lower()], zone) if found else None


def _sorted(first: str, sign: str, second: str, third: str, order: Order) -> tuple[int, int, int]:
    """Year, month, day of a date of digits. Dots are German; a first part above 31 is the year; above 12 settles it."""
    a, b, c = int(first), int(second), int(third)
    if len(first) > 2:
        return a, b, c
    year = c if len(third) > 2 else c + (2000 if c < 70 else 1900)
    american = (order == "MDY" and sign != ".") if a <= 12 and b <= 12 else b > 12
    return (year, a, b) if american else (year, b, a)


def _worded(text: str, now: datetime, zone: tzinfo) -> tuple[int, int, int, str] | None:
    for pattern, day_at, month_at in ((_DAY_FIRST, 1, 2), (_MONTH_FIRST, 2, 1)):
        found = pattern.search(text)
        if found is None:
            continue
        day, month = int(found[day_at]), _MONTHS[found[month_at].lower()]
        rest = text[: found.start()] + " " + text[found.end() :]
        later = re.search(r"\b(?:19|20)\d{2}\b", rest) if not found[3] else None
        printed = found[3] or (later[0] if later else None)
        year = int(printed.lstrip("'")) if printed else _nearest_year(day, month, now, zone)
        return (year + 2000 if year < 100 else year), month, day, rest
    return None


def _nearest_year(day: int, month: int, now: datetime, zone: tzinfo) -> int:
    """A date printed without a year is this year's, or last year's where that would still be to come."""
    today = now.astimezone(zone)
    return today.year if (month, day) <= (today.month, today.day) else today.year - 1


def _with_time(year: int, month: int, day: int, text: str, zone: tzinfo) -> Published:
    text = _NOON.sub(lambda word: "12:00" if word[0].lower() == "noon" else "00:00", text)
    found = _TIME.search(text)
    hour_only = None if found else _HOUR.search(text)
    match = found or hour_only
    if match is None:
        return _day(year, month, day, zone)
    groups = match.groupdict()
    hour = int(groups["h"])
    if groups.get("half"):
        hour = hour % 12 + (12 if groups["half"].lower() == "p" else 0)
    if hour > 23 or int(groups.get("min") or 0) > 59:
        return _day(year, month, day, zone)
    second = groups.get("s")
    naive = datetime(year, month, day, hour, int(groups.get("min") or 0), min(int(second or 0), 59))  # noqa: DTZ001
    at = _zoned(naive, text, zone)
    if hour_only:
        return Published(at=at, precision=Precision.HOUR, lower=at, upper=at + timedelta(hours=1))
    return Published(at=at, precision=Precision.SECOND if second else Precision.MINUTE)


def _zoned(naive: datetime, text: str, zone: tzinfo) -> datetime:
    found = _ZONE.search(text)
    if found is None:
        return _local(naive, zone)
    if found[3]:
        return naive.replace(tzinfo=UTC)
    if found[4]:
        return naive.replace(tzinfo=timezone(timedelta(hours=2 if "S" in found[4][1:] else 1)))
    return naive.replace(tzinfo=_offset(found[1] + found[2]))


def _local(naive: datetime, zone: tzinfo) -> datetime:
    """In the zone, and a time the clock change left out moved to one that exists."""
    return naive.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)


def _day(year: int, month: int, day: int, zone: tzinfo) -> Published:
    start = _local(datetime(year, month, day), zone)  # noqa: DTZ001
    end = _local(datetime(year, month, day) + timedelta(days=1), zone)  # noqa: DTZ001
    return Published(at=start, precision=Precision.DAY, lower=start, upper=end)


def _month(year: int, month: int, zone: tzinfo) -> Published:
    start = _local(datetime(year, month, 1), zone)  # noqa: DTZ001
    end = _local(datetime(year + month // 12, month % 12 + 1, 1), zone)  # noqa: DTZ001
    return Published(at=start, precision=Precision.MONTH, lower=start, upper=end)


def _by_library(text: str, now: datetime, zone: tzinfo, order: Order) -> Published:
    """The remaining forms, by dateparser: times of day alone are taken for no date."""
    if not any(sign.isalpha() for sign in text) or not any(sign.isdigit() for sign in text) or len(text) > 60:
        return Published()
    settings = {
        "RELATIVE_BASE": now.astimezone(zone).replace(tzinfo=None),
        "DATE_ORDER": order,
        "PREFER_DATES_FROM": "past",
        "REQUIRE_PARTS": ["day", "month"],
        "RETURN_AS_TIMEZONE_AWARE": False,
    }
    try:
        found = dateparser.parse(text, languages=["de", "en"], settings=settings)
    except Exception:  # the library raises many kinds on odd input; what it cannot read is no date
        return Published()
    if found is None:
        return Published()
    if _TIME.search(text):
        return Published(at=_local(found.replace(tzinfo=None), zone), precision=Precision.MINUTE)
    return _day(found.year, found.month, found.day, zone)
