"""Pages as the web breaks them: cut off, tags lost, attributes swapped, bytes turned, nested without end."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

Mutation = Callable[[random.Random, bytes], bytes]
_TAG = re.compile(rb"<[^<>]{1,300}>")
_ATTRIBUTE = re.compile(rb'\b([a-zA-Z-]{1,30})="([^"<>]{0,200})"')
_NUMBER = re.compile(rb"\d+")
_STRINGS = re.compile(rb'"[^"\n]{0,200}"')
NASTY = (
    b"", b"null", b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"9" * 400, b"-1", b"NaN", b"1e999", b"<", b"&#x0;", b"]]>",
    b"&#xD800;", b"\xe2\x80\xae", b"[]", b"{}", b'"', b"javascript:alert(1)", b"http://[", b"//", b"%zz", b"\\ud800",
    b"00000-13-45T99:99:99Z", b"\xc4\xb0", "ſ".encode(), b"true", b"{\"a\":" * 50,
)  # fmt: skip


def cut(chance: random.Random, page: bytes) -> bytes:
    """The connection ended early."""
    return page[: chance.randrange(len(page) + 1)]


def drop_tags(chance: random.Random, page: bytes) -> bytes:
    """Some tags are missing."""
    share = chance.random() * 0.5
    return _TAG.sub(lambda tag: b"" if chance.random() < share else tag[0], page)


def swap_attributes(chance: random.Random, page: bytes) -> bytes:
    """Values stand at other attributes."""
    values = [value for _, value in _ATTRIBUTE.findall(page)] or [b""]
    return _ATTRIBUTE.sub(
        lambda pair: pair[1] + b'="' + (chance.choice(values) if chance.random() < 0.3 else pair[2]) + b'"', page
    )


def turn_bytes(chance: random.Random, page: bytes) -> bytes:
    """Some bytes are others."""
    body = bytearray(page)
    for _ in range(1 + len(body) // 100):
        if body:
            body[chance.randrange(len(body))] = chance.randrange(256)
    return bytes(body)


def nasty_numbers(chance: random.Random, page: bytes) -> bytes:
    """Numbers are no numbers, or far too large ones."""
    return _NUMBER.sub(lambda number: chance.choice(NASTY) if chance.random() < 0.2 else number[0], page)


def nasty_strings(chance: random.Random, page: bytes) -> bytes:
    """Texts are something else: of another type, of other letters, of none."""
    return _STRINGS.sub(lambda text: chance.choice(NASTY) if chance.random() < 0.1 else text[0], page)


def insert(chance: random.Random, page: bytes) -> bytes:
    """Something is in between."""
    place = chance.randrange(len(page) + 1)
    return page[:place] + chance.choice(NASTY) * chance.choice((1, 1, 50)) + page[place:]


def shuffle(chance: random.Random, page: bytes) -> bytes:
    """Parts stand in another order, or twice."""
    parts = [page[start : start + 200] for start in range(0, len(page), 200)]
    return b"".join(chance.choices(parts, k=len(parts))) if parts else page


MUTATIONS: tuple[Mutation, ...] = (
    cut, drop_tags, swap_attributes, turn_bytes, nasty_numbers, nasty_strings, insert, shuffle,
)  # fmt: skip


def mutated(chance: random.Random, page: bytes) -> bytes:
    """The page after one to three accidents."""
    for mutation in chance.choices(MUTATIONS, k=chance.choice((1, 1, 2, 3))):
        page = mutation(chance, page)
    return page


def huge(size: int = 5_000_000) -> dict[str, bytes]:
    """Pages of the largest size that is read, each of them a trap."""
    return {
        "nesting": b"<div>" * (size // 5),
        "inline": b"<a href='?p=1'><b>" * (size // 18),
        "tables": b"<table><tr><td>" * (size // 15),
        "quotes": b"<blockquote><cite>x schrieb:</cite>" * (size // 35),
        "posts": b'<div class="post" id="p1"><p class="author"><time datetime="2026-11-02">x</time></p></div>'
        * (size // 90),
        "attributes": b"<p " + b" ".join(b'a%d="x"' % number for number in range(size // 12))[: size - 10] + b">",
        "bare attributes": b"<p " + b" ".join(b"a%d" % number for number in range(size // 8))[: size - 10] + b">",
        "open tag": b"<" * size,
        "ampersands": b"&" * size,
        "one word": b"<p>" + b"a" * size,
        "spaces": b"<time>" + b" " * size,
        "digits": b'<p id="p' + b"1" * (size - 100) + b'">x</p>',
        "brackets": b"[" * size,
        "braces": b'{"a":' * (size // 5),
        "json list": b"[" + b"{}," * (size // 3) + b"{}]",
        "entries": b"<feed>" + b"<entry><id>1</id></entry>" * (size // 25) + b"</feed>",
    }
