"""German inflection by rule: from one line of the lexicon to all forms of the word."""

from __future__ import annotations

from collections.abc import Callable, Iterable

_ADJECTIVE = ("", "e", "en", "em", "er", "es")
_COMPARATIVE = ("er", "ere", "eren", "erem", "erer", "eres")
_SUPERLATIVE = ("ste", "sten", "stes", "ster", "stem")
_PRESENT_AND_PAST = ("e", "st", "t", "en", "te", "test", "ten", "tet")
_FIXED_PREFIXES = ("be", "ge", "ver", "er", "ent", "emp", "zer", "miss", "über", "unter", "wider", "hinter")
_UMLAUTS = {"a": "ä", "o": "ö", "u": "ü"}
_DIGRAPHS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


def adjective(word: str) -> set[str]:
    """All endings, comparative and superlative: schlecht → schlechtem, schlechtere, schlechtesten."""
    stem = word[:-1] if word.endswith("e") else word
    forms = {stem + ending for ending in (*_ADJECTIVE, *_COMPARATIVE)} | {word}
    middle = "e" if stem[-1] in "dtsßxz" or stem.endswith("sch") else ""
    forms |= {stem + middle + ending for ending in _SUPERLATIVE}
    if stem.endswith("el"):
        forms |= {stem[:-2] + "l" + ending for ending in _ADJECTIVE[1:]}
    if stem.endswith("er") and len(stem) > 4:
        forms |= {stem[:-2] + "r" + ending for ending in _ADJECTIVE[1:]}
    return forms


def noun(word: str) -> set[str]:
    """Cases and the plural: Katastrophe → Katastrophen; Betrug → Betrugs; Enttäuschung → Enttäuschungen.

    ``Ausfall^`` has the plural Ausfälle, ``Funkloch^er`` Funklöcher.
    """
    if "^" in word:
        single, _, plural = word.partition("^")
        many = _umlauted(single) + (plural or "e")
        return {single, single + "s", single + "es", many, many + "n"}
    if word.endswith("e"):
        return {word, word + "n"}
    if word.endswith(("ung", "heit", "keit", "schaft", "ion", "tät")):
        return {word, word + "en"}
    if word.endswith("in"):
        return {word, word + "nen"}
    if word.endswith(("er", "el", "en", "chen", "lein")):
        return {word, word + "s", word + "n"}
    if word.endswith(("s", "ß", "x", "z")):
        return {word, word + "e", word + "es", word + "en"}
    return {word, word + "s", word + "es", word + "e", word + "en"}


def verb(word: str) -> set[str]:
    """Regular forms: nerven → nervt, nervte, genervt; ab|zocken → abzockt, abgezockt; participles are inflected."""
    prefix, _, rest = word.rpartition("|")
    stem = rest[:-2] if rest.endswith("en") else rest[:-1]
    link = "e" if stem[-1] in "dt" or stem.endswith(("chn", "ffn", "gn", "tm")) else ""
    finite = {stem + "e", rest} | {stem + link + ending for ending in _PRESENT_AND_PAST if ending != "e"}
    fixed = not prefix and (rest.startswith(_FIXED_PREFIXES) or rest.endswith("ieren"))
    perfect = stem + link + "t" if fixed else f"{prefix}ge{stem}{link}t"
    participles = {participle + ending for participle in (perfect, prefix + rest + "d") for ending in _ADJECTIVE}
    return {prefix + form for form in finite} | participles | ({f"{prefix}zu{rest}"} if prefix else set())


def further(section: str, form: str) -> set[str]:
    """What follows from a form that is given: log → logen, logst; gelogen → gelogener; an adjective is inflected."""
    if section == "adjectives":
        return adjective(form)
    if section != "verbs":
        return {form}
    if form.endswith("en"):
        return {form + ending for ending in _ADJECTIVE}
    return {form} if form.endswith(("t", "e")) else {form, form + "en", form + "st"}


def separable(word: str, extras: Iterable[str]) -> tuple[str, set[str]]:
    """Particle and finite forms of a verb such as ab|zocken: ("ab", {zockt, zockte …}); ("", {}) of any other."""
    particle, _, rest = word.rpartition("|")
    if not particle:
        return "", set()
    finite = {form for form in verb(rest) if not form.startswith("ge") and not form.endswith(("nd", "nder", "nden"))}
    given = {form.removeprefix(particle) for extra in extras for form in further("verbs", extra)}
    return particle, finite | {form for form in given if not form.startswith(("ge", particle))}


def _umlauted(word: str) -> str:
    """The word with its last back vowel turned: Ausfall → Ausfäll, Vorwurf → Vorwürf, Lauf → Läuf."""
    for at in range(len(word) - 1, -1, -1):
        if word[at] in _UMLAUTS:
            at -= word[at] == "u" and word[at - 1] == "a"
            return word[:at] + _UMLAUTS[word[at]] + word[at + 1 :]
    return word


def uninflected(word: str) -> set[str]:
    """The word alone."""
    return {word}


INFLECTIONS: dict[str, Callable[[str], set[str]]] = {
    "adjectives": adjective,
    "nouns": noun,
    "nouns alone": noun,
    "verbs": verb,
    "words": uninflected,
}
"""Section of the lexicon → rule that makes the forms."""


def spellings(form: str) -> tuple[str, str, str]:
    """The form, as people without umlauts on their keyboard write it, and without ß as in Switzerland."""
    return form, form.translate(_DIGRAPHS), form.replace("ß", "ss")


def with_digraphs(forms: Iterable[str]) -> set[str]:
    """The forms in all their spellings."""
    return {spelled for form in forms for spelled in spellings(form)}


def listed(words: str) -> frozenset[str]:
    """The words of a list that is written out, in all their spellings."""
    return frozenset(with_digraphs(words.split()))
