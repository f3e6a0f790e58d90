"""Misspellings: the slips of fingers and ears by which people write a name wrong, one in a word.

A letter dropped, doubled, swapped with the next, struck beside its key, or written as it sounds (Vodaphone, Telecom).
The first letter is hardly ever wrong, and a last one that is missing is mostly another word.
"""

from __future__ import annotations

LEAST = 7
"""Letters of the shortest word whose misspellings are looked for: those of shorter words are words themselves."""

_ROWS = ("qwertzuiopü", "asdfghjklöä", "yxcvbnm")
_SOUNDS = (
    ("ph", "f"), ("f", "ph"), ("f", "v"), ("v", "f"), ("v", "w"), ("w", "v"), ("ck", "k"), ("k", "ck"), ("k", "c"),
    ("c", "k"), ("k", "ch"), ("d", "t"), ("t", "d"), ("b", "p"), ("p", "b"), ("g", "k"), ("z", "tz"), ("tz", "z"),
    ("z", "s"), ("ss", "ß"), ("i", "ie"), ("ie", "i"), ("y", "i"), ("i", "y"), ("a", "ah"), ("o", "oh"), ("e", "eh"),
    ("ah", "a"), ("oh", "o"), ("eh", "e"), ("ä", "e"), ("e", "ä"), ("x", "ks"), ("a", "e"), ("e", "a"), ("o", "u"),
    ("u", "o"), ("e", "i"), ("i", "e"),
)  # fmt: skip


def _neighbours() -> dict[str, str]:
    """Letter → the letters beside it on a German keyboard."""
    beside: dict[str, str] = {}
    for number, row in enumerate(_ROWS):
        for at, letter in enumerate(row):
            near = row[max(at - 1, 0) : at] + row[at + 1 : at + 2]
            if number:
                near += _ROWS[number - 1][at : at + 2]
            if number + 1 < len(_ROWS):
                near += _ROWS[number + 1][max(at - 1, 0) : at + 1]
            beside[letter] = near
    return beside


_BESIDE = _neighbours()


def misspellings(word: str) -> set[str]:
    """The ways to write a (folded) word with one slip; about fifteen for each letter."""
    last = len(word) - 1
    wrong: set[str] = set()
    for at in range(1, len(word)):
        head, letter, tail = word[:at], word[at], word[at + 1 :]
        wrong.add(head + letter + letter + tail)
        if at < last or letter == "e":
            wrong.add(head + tail)
        if at < last:
            wrong.add(head + tail[0] + letter + tail[1:])
        for near in _BESIDE.get(letter, ""):
            wrong |= {head + near + tail, head + letter + near + tail}
    for heard, written in _SOUNDS:
        at = word.find(heard, 1)
        while at > 0:
            wrong.add(word[:at] + written + word[at + len(heard) :])
            at = word.find(heard, at + 1)
    return {form for form in wrong if form[0] == word[0]} - {word, word + "s"}
