"""Hits: whether a term that stands in a text is the brand's name there, judged by what stands around it."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.compounds import FALSE_COMPOUNDS, PREFIXES, SWEARWORDS, is_head
from pipeline.spelling import lower, unify
from pipeline.terms import SHORT, Role, Term
from pipeline.words import Via

HEAD = 3
"""Least number of letters a name must be continued by to make a compound."""
LONGEST_WORD = 100
"""Characters looked at on either side of a hit for the rest of its word: a bound on the time."""
ENDINGS = frozenset({"", "s", "es", "e", "en", "n", "er", "ern", "in"})
"""With what a short context word may be inflected."""

_ADDRESS = re.compile(
    r"(?:https?://|(?<![\w@.-])www\.)(?P<host>[^\s/?#<>\"]++)(?P<path>[/?#][^\s<>\"]*+)?"
    r"|(?<![\w@.+/-])(?P<bare>[\w-]++(?:\.[\w-]++)++)(?P<rest>/[^\s<>\"]*+)"
)
_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)++")
_TOP_LEVEL = re.compile(r"\.(?:[a-z]{2,3}\.)?[a-z]{2,12}(?![\w.-])")
_VOWEL = re.compile("[aeiouyäöü]")


class Spans:
    """Places in a text that are asked many times which of them touch a place; quick however many there are."""

    def __init__(self, spans: Iterable[tuple[int, int]]) -> None:
        self._spans = sorted(spans)
        self._starts = [start for start, _ in self._spans]
        self._longest = max((end - start for start, end in self._spans), default=0)

    def touching(self, start: int, end: int) -> list[int]:
        """Numbers (in order of position) of the places that share a character with this one."""
        if not self._spans:
            return []
        first = bisect_right(self._starts, start - self._longest)
        last = bisect_left(self._starts, end)
        return [at for at in range(first, last) if self._spans[at][1] > start]

    def around(self, start: int, end: int) -> bool:
        """Whether one of the places contains this one."""
        if not self._spans:
            return False
        return any(self._spans[at][0] <= start and end <= self._spans[at][1] for at in self.touching(start, end))


NOWHERE = Spans(())


@dataclass(slots=True)
class Text:
    """A text under examination: as written (``plain``: one form of apostrophe), folded, and its addresses."""

    given: str
    plain: str
    folded: str
    paths: Spans = NOWHERE
    hosts: Spans = NOWHERE
    mails: Spans = NOWHERE


@dataclass(slots=True)
class Hit:
    """A place where a term stands. ``refused`` says why it does not count; ``doubtful``: it needs a context word.

    ``bare`` is where the term itself stands: without inflection and the rest of a compound.
    """

    term: Term
    start: int
    end: int
    why: str
    via: Via
    refused: str = ""
    doubtful: bool = False
    bare: tuple[int, int] = (0, 0)


def examine(text: str) -> Text:
    plain = unify(text)
    seen = Text(text, plain, lower(plain))
    if "/" in text or "www." in seen.folded:
        found = list(_ADDRESS.finditer(seen.folded))
        seen.hosts = Spans(match.span("host" if match["host"] else "bare") for match in found)
        seen.paths = Spans(match.span("path" if match["host"] else "rest") for match in found)
    if "@" in text:
        seen.mails = Spans(match.span() for match in _MAIL.finditer(seen.folded))
    return seen


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def opens(text: str, start: int) -> bool:
    """Whether a word begins here."""
    return start == 0 or not text[start - 1].isalnum()


def is_context(text: Text, term: Term, start: int, end: int) -> bool:
    """Context words of five letters and more may be continued (Verspätungen); shorter ones only inflected (Zuges)."""
    if not opens(text.folded, start) or (term.exact and text.plain[start:end] != term.exact):
        return False
    if end - start >= SHORT:
        return True
    ending = text.folded[end : _word_end(text.folded, end)]
    return ending in ("", "s") if term.exact else ending in ENDINGS


def _word_end(text: str, at: int) -> int:
    last = min(len(text), at + LONGEST_WORD)
    while at < last and text[at].isalnum():
        at += 1
    return at


def _compound_end(text: str, at: int) -> int:
    """The end of the hyphenated word that goes on at ``at``: hyphens count where letters follow."""
    at = _word_end(text, at)
    last = min(len(text), at + LONGEST_WORD)
    while at + 1 < last and text[at] in "-_" and text[at + 1].isalnum():
        at = _word_end(text, at + 1)
    return at


def _compound_start(text: str, at: int) -> int:
    """The begin of the hyphenated word that ends before ``at``."""
    first = max(at - LONGEST_WORD, 1)
    while at > first and text[at - 1] in "-_" and text[at - 2].isalnum():
        at = _word_start(text, at - 1)
    return at


def judge(text: Text, term: Term, start: int, end: int) -> Hit | None:
    """The hit, with a reason if it does not count; None where the letters stand in the middle of another word."""
    hit = _judged(text, term, start, end)
    if hit is not None:
        hit.bare = start, end
    return hit


def _judged(text: Text, term: Term, start: int, end: int) -> Hit | None:
    folded = text.folded
    if not opens(folded, start) and _word_end(folded, end) != end:
        return None
    doubtful = term.needs_context or (term.sloppy and _is_unit(folded, start))
    if term.exact and folded[start - 1 : start] != "#" and text.plain[start:end] != term.exact:
        sloppy = term.sloppy and opens(folded, start) and text.plain[start:end] == folded[start:end]
        if not sloppy or _is_unit(folded, start):
            return None
        doubtful = True
    if term.wrong:
        return _judge_wrong(text, term, start, end)
    if text.mails.around(start, end):
        return _refuse(folded, term, start, end, "part of a mail address")
    if term.role is Role.ACCOUNT:
        return _judge_account(folded, term, start, end)
    if term.role is Role.DOMAIN:
        return _judge_domain(text, term, start, end)
    if text.paths.around(start, end):
        return _refuse(folded, term, start, end, "part of an address")
    if text.hosts.around(start, end):
        if _is_own_label(folded, start, end):
            return _named(term, start, end, "address of", doubtful=doubtful)
        return _refuse(folded, term, start, end, "part of an address")
    return _judge_word(text, term, start, end, doubtful)


def _is_unit(folded: str, start: int) -> bool:
    """Whether a number stands before (72 db)."""
    return folded[max(start - 2, 0) : start].rstrip()[-1:].isdigit()


def _judge_wrong(text: Text, term: Term, start: int, end: int) -> Hit | None:
    """A misspelling counts as a word of its own only, which may be inflected or open a hyphenated compound."""
    folded = text.folded
    inside = any(spans.around(start, end) for spans in (text.mails, text.paths, text.hosts))
    stop = end + 1 if folded[end : end + 1] == "s" else end
    if inside or _is_word(folded[stop : stop + 1] or " ") or _is_word(folded[start - 1 : start] or " "):
        return None
    if folded[start - 1 : start] in ("@", "-"):
        return None
    return _named(term, start, _compound_end(folded, stop), "misspelling of", folded)


def _is_own_label(folded: str, start: int, end: int) -> bool:
    """Whether a name is the domain of a host: nothing but a top-level domain (.de, .co.uk) follows."""
    ending = _TOP_LEVEL.match(folded, end)
    return ending is not None and folded[start - 1 : start] in ("", "/", ".")


def _judge_account(folded: str, term: Term, start: int, end: int) -> Hit | None:
    if _is_word(folded[end : end + 1] or " ") or _is_word(folded[start - 1 : start] or " "):
        return None
    return Hit(term, start, end, f"own account {term.label}", Via.HANDLE)


def _judge_domain(text: Text, term: Term, start: int, end: int) -> Hit | None:
    before, after = text.folded[start - 1 : start], text.folded[end : end + 2]
    longer = _is_word(after[:1] or " ") or after[:1] == "-" or (after[:1] == "." and after[1:].isalnum())
    if longer or before in ("-", "_") or text.paths.around(start, end):
        return _refuse(text.folded, term, start, end, "part of another address")
    return Hit(term, start, end, f"own domain {term.label}", Via.HANDLE)


def _judge_word(text: Text, term: Term, start: int, end: int, doubtful: bool) -> Hit | None:
    folded = text.folded
    if reason := _broken_edge(folded, term, start, end):
        return _refuse(folded, term, start, end, reason)
    begin = _compound_start(folded, _word_start(folded, start))
    doubtful = doubtful and folded[begin:start].strip("-_") not in SWEARWORDS
    stop = _inflected_end(folded, term, end)
    if stop is None:
        if not _may_open_compound(text, term, start, end):
            return _refuse(folded, term, start, end, "")
        stop, head = _compound_end(folded, end), end
        if term.short and "_" in folded[end:stop]:  # the name of an account: bahnfahrer_88
            return _refuse(folded, term, start, end, "")
    elif folded[stop : stop + 1] in ("-", "_") and folded[stop + 1 : stop + 2].isalnum():
        if folded[stop] == "_" and term.short:
            return _refuse(folded, term, start, end, "")
        stop, head = _compound_end(folded, stop), stop + 1
    else:
        form = "compound of" if begin != start else "inflection of" if stop != end else ""
        return _named(term, begin, stop, form, folded, doubtful)
    doubtful = doubtful and not is_head(folded[head : _word_end(folded, head)])
    return _named(term, begin, stop, "compound of", folded, doubtful)


def _named(term: Term, start: int, end: int, form: str, folded: str = "", doubtful: bool = False) -> Hit:
    """A hit that counts; behind # or @ it is a hashtag or a handle."""
    mark = folded[start - 1 : start] if folded else ""
    if mark == "@":
        return Hit(term, start - 1, end, f"handle with {term.via} {term.label}", Via.HANDLE, doubtful=doubtful)
    if mark == "#" and not form:
        form = "hashtag of"
    return Hit(term, start, end, f"{form} {term.via} {term.label}".strip(), term.via, doubtful=doubtful)


def _refuse(folded: str, term: Term, start: int, end: int, reason: str) -> Hit:
    """A hit that does not count; without a reason: it is part of a longer word, which is named."""
    low, high = _compound_start(folded, _word_start(folded, start)), _compound_end(folded, end)
    return Hit(term, low, high, "", term.via, reason or f"part of the word '{folded[low:high]}'")


def _word_start(text: str, at: int) -> int:
    first = max(at - LONGEST_WORD, 0)
    while at > first and text[at - 1].isalnum():
        at -= 1
    return at


def _broken_edge(folded: str, term: Term, start: int, end: int) -> str:
    """Why the characters next to a hit forbid it, or an empty string."""
    before, after = folded[start - 1 : start], folded[end : end + 1]
    if before and before.isalnum() and folded[_word_start(folded, start) : start] not in SWEARWORDS:
        return f"part of the word '{folded[_word_start(folded, start) : _word_end(folded, end)]}'"
    prefix = folded[_word_start(folded, start - 1) : start - 1] if before in ("-", "_") and term.short_first else ""
    if prefix and prefix not in PREFIXES:
        return f"part of the word '{folded[_compound_start(folded, start) : _word_end(folded, end)]}'"
    if after == "+" and not (folded[end + 1 : end + 2] or " ").isalnum():
        return f"another name: '{folded[start : end + 1]}'"
    if folded[start].isdigit() and before and before in ".,:/&-+" and folded[start - 2 : start - 1].isdigit():
        return "part of a number"
    if folded[end - 1].isdigit() and after and after in ".,:/&+" and folded[end + 1 : end + 2].isdigit():
        return "part of a number"
    if folded[end - 1].isdigit() and after.isdigit():
        return "part of a number"
    return ""


def _inflected_end(folded: str, term: Term, end: int) -> int | None:
    """Where the name ends with its inflection; None where other letters go on."""
    stop = _word_end(folded, end)
    ending = folded[end:stop]
    if not ending:
        genitive = folded[end : end + 2] == "'s" and _word_end(folded, end + 2) == end + 2
        return end + 2 if genitive and folded[end - 1].isalnum() else end
    if ending == "s" and term.exact is None:
        return stop
    return stop if ending == "n" and folded[end - 1] == "e" and not term.short else None


def _may_open_compound(text: Text, term: Term, start: int, end: int) -> bool:
    """Whether the letters that continue a name make a compound of it (Telekomkunde) and not another word."""
    word_end = _word_end(text.folded, end)
    head = text.folded[end:word_end]
    if term.exact is None and is_head(head):
        return True
    if term.short:
        in_hashtag = "#" in text.folded[max(start - 1, 0) : start + 1]
        return in_hashtag and text.plain[end].isupper() and head[1:2].isalpha() and text.plain[end + 1].islower()
    if text.folded.startswith(FALSE_COMPOUNDS, _word_start(text.folded, end)):
        return False
    if head.isdigit():
        return not text.folded[end - 1].isdigit()
    return len(head) >= HEAD and head.isalpha() and _VOWEL.search(head) is not None
