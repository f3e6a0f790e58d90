"""Marks of irony in German: what turns praise into its opposite. Irony without a mark is not seen."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set

from pipeline.tone.clauses import CLAUSE, PHRASE, STOPS, TAKEN, TURNS, sentence_end, sentences
from pipeline.tone.inflection import listed

TURN = -0.8
"""What is left of praise that is not meant."""
_DECLARED = re.compile(
    r"(?:^|(?<=\s))/[si](?=\s|$)|[*#(<\[/]\s?(?:ironi|sarkas|zynis)|(?:ironie|sarkasmus)[ -]?(?:off|aus|ende|modus)",
    re.IGNORECASE,
)
_OFTEN_DECLARED = listed(
    "s i ironie ironisch ironieoff ironiemodus sarkasmus sarkasmusoff sarkastisch zynismus zynisch"
)
_FACES = frozenset("🙄🤡🤦🙃🫠")
_OPENERS = listed("""
    toll super klasse prima wunderbar wundervoll großartig herrlich genial perfekt glückwunsch bravo spitze danke
    fantastisch hervorragend schön nett fein sauber respekt chapeau applaus top exzellent nice merci hurra juhu yay wow
""")
_PRAISE = _OPENERS | {PHRASE}
_LEAD = listed("na oh ach ja wie echt sehr so ganz wirklich mal und also") | {TAKEN}
_POLITE = listed("danke dank dankeschön merci") | {PHRASE}
"""Said in earnest so often that only a word as "again" makes them irony."""
_AGAIN = listed("""
    wieder wiedermal schon mal erneut immer noch nochmal jetzt seit nach nur erst kein keine keinen wenn dass trotz
    heute nichts niemand nicht auch so
""") | {TAKEN}
_FOND = listed("liebe lieben traum genuss freude endlich")
_THANKS = listed("danke dank dankeschön merci glückwunsch gratulation gratuliere bravo lob kompliment")
MARKS = _OFTEN_DECLARED | _FACES | _OPENERS | _FOND | _THANKS | {PHRASE}
"""A text without these is not taken for irony."""
_FOR = listed("für zu zur zum")
_RELIEF = listed("weg vorbei erledigt überstanden beseitigt behoben gelöst geschafft ende schluss los")
_LEAST = -1.2
"""How bad it must be for praise before it to be irony."""
_HARDLY = 0.5
_SHORT = 4


def ironic(text: str, words: Sequence[str], valences: list[float], marks: Set[str]) -> None:
    """Turns praise that a mark, a face, or what follows shows not to be meant; ``marks`` are those that occur."""
    if max(valences, default=0.0) <= 0:
        return
    if not _OFTEN_DECLARED.isdisjoint(marks) and _DECLARED.search(text):
        _turn(valences, 0, len(valences))
        return
    if not _FACES.isdisjoint(marks):
        _rolled_eyes(words, valences)
    if min(valences) >= 0:
        return
    if PHRASE in marks or not _OPENERS.isdisjoint(marks):
        _openers(words, valences)
    if not _THANKS.isdisjoint(marks):
        _thanks(words, valences)
    if not _FOND.isdisjoint(marks):
        _fond(words, valences)


def _turn(valences: list[float], start: int, end: int) -> None:
    for at in range(start, end):
        if valences[at] > 0:
            valences[at] *= TURN


def _rolled_eyes(words: Sequence[str], valences: list[float]) -> None:
    """A face that mocks turns the praise of its sentence, or of the one before if it stands alone."""
    for start, end in sentences(words, _FACES):
        if words[start] in _FACES:
            before = start
            while before and words[before - 1] in STOPS:
                before -= 1
            stop = before
            while before and words[before - 1] not in STOPS:
                before -= 1
            _turn(valences, before, stop)
        _turn(valences, start, end)


def _openers(words: Sequence[str], valences: list[float]) -> None:
    """ "Toll, wieder kein Netz", "Super! Schon wieder Störung": short praise, then only complaint."""
    for start, end in sentences(words, _PRAISE):
        comma = next((at for at in range(start, min(start + _SHORT + 1, end)) if words[at] == ","), None)
        close = end if comma is None else comma
        first = next((at for at in range(start, close) if words[at] not in _LEAD), close)
        if close - start > _SHORT or first == close or words[first] not in _PRAISE or valences[first] <= 0:
            continue
        rest, stop = close + 1, end
        if comma is None:
            while rest < len(words) and words[rest] in STOPS:
                rest += 1
            stop = sentence_end(words, rest)
        marked = not _AGAIN.isdisjoint(words[rest : rest + 3])
        if (marked or words[first] not in _POLITE) and _only_complains(words, valences, rest, stop):
            _turn(valences, start, close)


def _only_complains(words: Sequence[str], valences: Sequence[float], start: int, end: int) -> bool:
    part = words[start:end]
    values = valences[start:end]
    turned = not TURNS.isdisjoint(part) or not _RELIEF.isdisjoint(part)
    return not turned and sum(values) <= _LEAST and max(values, default=0.0) <= _HARDLY


def _fond(words: Sequence[str], valences: list[float]) -> None:
    """ "Ich liebe diese Warteschleife", "endlich wieder Schienenersatzverkehr"."""
    for start, end in sentences(words, _FOND):
        fond = [at for at in range(start, end) if words[at] in _FOND and valences[at] > 0]
        others = [valences[at] if at not in fond else 0.0 for at in range(start, end)] if len(fond) == 1 else []
        if fond and _only_complains(words[start:end], others, 0, end - start) and sum(others) <= _LEAST:
            _turn(valences, fond[0], fond[0] + 1)


def _thanks(words: Sequence[str], valences: list[float]) -> None:
    """ "Danke für die Verspätung", "Glückwunsch zum Totalausfall"."""
    for at, word in enumerate(words):
        if word not in _THANKS or valences[at] <= 0:
            continue
        reason = next((place for place in range(at + 1, min(at + 4, len(words))) if words[place] in _FOR), None)
        if reason is None:
            continue
        for place in range(reason + 1, min(reason + 5, len(words))):
            if words[place] in CLAUSE or valences[place] > 0:
                break
            if valences[place] <= _LEAST:
                valences[at] *= TURN
                break
