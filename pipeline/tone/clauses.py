"""German rules over a clause or a sentence: "aber", wishes, comparisons with others, forms of address.

Each works on the words of a text in lower case and on their valences, which it changes, in one walk over the text.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from pipeline.tone.inflection import listed
from pipeline.tone.mask import MASK

STOPS = frozenset(".!?;:…\n")
CLAUSE = STOPS | {",", "(", ")"}
BUT = frozenset({"aber", "jedoch", "allerdings", "sondern", "dennoch", "trotzdem"})
_ALTHOUGH = frozenset({"obwohl", "obgleich", "wenngleich", "obschon", "trotz"})
TURNS = BUT | _ALTHOUGH
WISHES = listed("wäre wären würde würden hätte hätten wünsche wünschte hoffe hoffentlich hoffen falls")
_ARTICLES = listed("der die das den dem des bei beim mit von vom zur zum in im")
_ELSEWHERE = listed("konkurrenz woanders anderswo mitbewerber mitbewerbern wettbewerber wettbewerb konkurrenten")
_OTHERS = listed("anderen andern andere anderem anderer")
DEAR = listed("liebe lieber liebes liebste liebster")
ABROAD = _ELSEWHERE | _OTHERS
_GREETINGS = listed("hallo hi hey na moin servus sehr und an ihr ach tja")
PHRASE = "ʘ"
"""Stands on the last place of a phrase that was found: a word that no lexicon knows."""
TAKEN = "∅"
"""Stands for the other words of such a phrase."""
UNREAL = 0.1
"""What is left of praise that is only wished for (wäre schön)."""
DENIED_LEAD = -0.8
"""No better than the other: a mild complaint about both."""
_BEHIND_ALS, _BEFORE_ALS = 3, 6


def negated(valence: float) -> float:
    """A denied valence: "nicht gut" is about bad, "nicht schlecht" is only mildly good."""
    return -0.74 * valence - 0.4 if valence > 0 else -0.5 * valence


def sentences(words: Sequence[str], marks: Container[str]) -> Iterator[tuple[int, int]]:
    """Beginning and end of every sentence with one of the marks; the end is the place of its stop."""
    end = 0
    for at in [at for at, word in enumerate(words) if word in marks]:
        if at < end:
            continue
        start = at
        while start > end and words[start - 1] not in STOPS:
            start -= 1
        end = sentence_end(words, at)
        yield start, end


def sentence_end(words: Sequence[str], at: int) -> int:
    """The place of the next stop."""
    return next((place for place in range(at, len(words)) if words[place] in STOPS), len(words))


def wish(words: Sequence[str], valences: list[float]) -> None:
    """Praise that is only wished for counts less."""
    for start, end in sentences(words, WISHES):
        first = next(at for at in range(start, end) if words[at] in WISHES)
        for at in range(first, end):
            if valences[at] > 0:
                valences[at] *= UNREAL


def contrast(words: Sequence[str], valences: list[float]) -> None:
    """Within a sentence, what precedes "aber" counts half and what follows it one and a half; so with "obwohl"."""
    for start, end in sentences(words, TURNS):
        _contrast_in(words, valences, start, end)


def _contrast_in(words: Sequence[str], valences: list[float], start: int, end: int) -> None:
    pivot = next((at for at in range(start, end) if words[at] in BUT), None)
    if pivot is not None:
        for at in range(start, end):
            valences[at] *= 0.5 if at < pivot else 1.5
        return
    concession = next((at for at in range(start, end) if words[at] in _ALTHOUGH), None)
    if concession is not None:
        stop = next((at for at in range(concession, end) if words[at] == ","), end)
        for at in range(concession, stop):
            valences[at] *= 0.5


def compare(
    words: Sequence[str], valences: list[float], comparatives: Container[str], negators: Container[str]
) -> None:
    """Praise of others is none: "besser als" before a masked name."""
    for at, word in enumerate(words):
        if word == "als" and _names(words, at):
            _turn_lead(words, valences, at, comparatives, negators)


def elsewhere(words: Sequence[str], valences: list[float], comparatives: Container[str]) -> None:
    """ "Bei der Konkurrenz ist es besser", "bei anderen geht das schneller"."""
    for start, end in sentences(words, ABROAD):
        _elsewhere(words, valences, start, end, comparatives)


def _names(words: Sequence[str], at: int) -> bool:
    """Whether a masked name is what "als" at this place compares with."""
    for place in range(at + 1, min(at + 1 + _BEHIND_ALS, len(words))):
        if words[place] == MASK:
            return True
        if words[place] not in _ARTICLES:
            return False
    return False


def _turn_lead(
    words: Sequence[str], valences: list[float], als: int, comparatives: Container[str], negators: Container[str]
) -> None:
    """Turns the comparatives before "als"; between two masked names nobody knows who is meant."""
    leads: list[int] = []
    denied = named = False
    for at in range(als - 1, max(als - 1 - _BEFORE_ALS, -1), -1):
        if words[at] in CLAUSE:
            break
        denied = denied or words[at] in negators
        named = named or words[at] == MASK
        if valences[at] and words[at] in comparatives:
            leads.append(at)
    for at in leads:
        if named:
            valences[at] = 0.0
        elif denied:
            valences[at] = DENIED_LEAD if valences[at] < 0 else 0.0
        else:
            valences[at] = negated(valences[at])


def _elsewhere(words: Sequence[str], valences: list[float], start: int, end: int, comparatives: Container[str]) -> None:
    abroad = any(
        words[at] in _ELSEWHERE or (words[at] in _OTHERS and not _ARTICLES.isdisjoint(words[max(at - 2, start) : at]))
        for at in range(start, end)
    )
    if abroad and "als" not in words[start:end]:
        for at in range(start, end):
            if valences[at] > 0 and words[at] in comparatives:
                valences[at] = negated(valences[at])


def address(words: Sequence[str], written: Sequence[str], valences: list[float]) -> None:
    """ "Liebe Bahn" is a form of address: "liebe" before a name, where a clause begins, counts nothing."""
    for at in [at for at, word in enumerate(words[:-1]) if word in DEAR]:
        begins = at == 0 or words[at - 1] in CLAUSE or words[at - 1] in _GREETINGS
        if begins and (words[at + 1] == MASK or written[at + 1][:1].isupper()):
            valences[at] = 0.0
