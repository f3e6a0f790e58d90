"""Phrases of several words: a tree over words, with alternatives, optional words and gaps.

A phrase is written as ``auf den|n sack|keks``, ``so? ein witz``, ``lässt * im stich``, ``$gehen auf den keks``:
``|`` parts alternatives, ``?`` ends an optional word, ``*`` stands for up to GAP words of the same clause, ``$name``
for a set of words.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

GAP = 4
"""How many words a ``*`` stands for at most: what keeps the search linear."""
Meaning = float | str
"""The valence of a phrase, or the word it means (``alles andere als`` is ``kein``)."""


@dataclass(slots=True)
class Node:
    """Where the phrases that begin alike go on."""

    words: dict[str, Node] = field(default_factory=dict)
    gap: Node | None = None
    meaning: Meaning | None = None


Found = tuple[tuple[int, ...], Meaning]
"""The places of the words of a phrase, gaps left out, and what the phrase means."""


def add_phrase(root: Node, tokens: Sequence[str], meaning: Meaning, sets: Mapping[str, Sequence[str]]) -> None:
    """Adds a phrase in the notation above. Raises KeyError for an unknown set, ValueError for what is no phrase."""
    if tokens[0] == "*" or tokens[-1] == "*":
        raise ValueError("a gap needs a word on both sides")
    if sum(token != "*" and not token.endswith("?") for token in tokens) < 2:
        raise ValueError("a phrase has two words at least that are always there")
    nodes = [root]
    for token in tokens:
        nodes = _step(nodes, token, sets)
    for node in nodes:
        node.meaning = meaning


def _step(nodes: Sequence[Node], token: str, sets: Mapping[str, Sequence[str]]) -> list[Node]:
    """The nodes behind one token of a phrase."""
    if token == "*":
        for node in nodes:
            node.gap = node.gap or Node()
        return [node.gap for node in nodes if node.gap]
    after = [node.words.setdefault(word, Node()) for node in nodes for word in _alternatives(token.rstrip("?"), sets)]
    return [*nodes, *after] if token.endswith("?") else after


def _alternatives(token: str, sets: Mapping[str, Sequence[str]]) -> Iterable[str]:
    for part in token.split("|"):
        if part.startswith("$"):
            yield from sets[part[1:]]
        else:
            yield part


def longest(node: Node, words: Sequence[str], at: int, ends: Container[str]) -> Found | None:
    """The longest phrase whose first word, the one of ``node``, stands at a place; no gap goes beyond ``ends``."""
    return _walk(node, words, (at,), ends)


def _walk(node: Node, words: Sequence[str], taken: tuple[int, ...], ends: Container[str]) -> Found | None:
    best: Found | None = None if node.meaning is None else (taken, node.meaning)
    at = taken[-1] + 1
    if at < len(words) and (after := node.words.get(words[at])) is not None:
        best = _longer(best, _walk(after, words, (*taken, at), ends))
    if node.gap is not None:
        for place in range(at, min(at + GAP + 1, len(words))):
            if (after := node.gap.words.get(words[place])) is not None:
                best = _longer(best, _walk(after, words, (*taken, place), ends))
            if words[place] in ends:
                break
    return best


def _longer(one: Found | None, other: Found | None) -> Found | None:
    if one is None or other is None:
        return other or one
    return max(one, other, key=lambda found: (len(found[0]), -found[0][-1]))
