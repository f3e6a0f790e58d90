"""Where each key of a TOML text stands: path → line, for messages that lead there (``tomllib`` tells no lines)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress

Path = tuple[str | int, ...]

_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}(?!")'
    r"|'''.*?'{3,5}(?!')"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}\n#]*")


class _Lost(Exception):
    """The text is no TOML that we understand; what was indexed so far stays."""


def line_index(text: str) -> dict[Path, int]:
    """Every key path of a TOML text, arrays by position, with the line (from 1) of its first mention."""
    reader = _Reader(text)
    with suppress(_Lost, RecursionError):
        reader.document()
    return reader.lines


def line_of(lines: Mapping[Path, int], path: Path) -> int | None:
    """The line of a path, or of the innermost table around it that has one."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


class _Reader:
    """One walk through the text; ``at`` is where it stands."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.lines: dict[Path, int] = {}
        self.arrays: dict[Path, int] = {}
        """Arrays of tables and the position of their newest entry."""
        self._line, self._counted = 1, 0

    def document(self) -> None:
        base: Path = ()
        while self._skip(_BLANK) < len(self.text):
            if self.text[self.at] == "[":
                base = self._header()
            else:
                self._pair(base)

    def _header(self) -> Path:
        """``[a.b]`` or ``[[a.b]]``: the path that the following keys belong to."""
        many = self.text.startswith("[[", self.at)
        self.at += 2 if many else 1
        line, keys = self._here(), self._keys()
        self._take("]]" if many else "]")
        path: Path = ()
        for position, key in enumerate(keys):
            path = (*path, key)
            self.lines.setdefault(path, line)
            if many and position == len(keys) - 1:
                self.arrays[path] = self.arrays.get(path, -1) + 1
            if path in self.arrays:
                path = (*path, self.arrays[path])
                self.lines.setdefault(path, line)
        return path

    def _pair(self, base: Path) -> None:
        """``a.b = value``."""
        line, path = self._here(), base
        for key in self._keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self._take("=")
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip(_SPACE)
        start = self.text[self.at : self.at + 1]
        if start == "[":
            self._array(path)
        elif start == "{":
            self._inline(path)
        elif start in ('"', "'"):
            self._match(_STRING)
        else:
            self._match(_SCALAR)

    def _array(self, path: Path) -> None:
        self._take("[")
        position = 0
        while not self._ends("]"):
            self.lines[(*path, position)] = self._here()
            self._value((*path, position))
            position += 1
            self._comma("]")

    def _inline(self, path: Path) -> None:
        self._take("{")
        while not self._ends("}"):
            self._pair(path)
            self._comma("}")

    def _ends(self, bracket: str) -> bool:
        """Whether the bracket stands here; it is taken then."""
        self._skip(_BLANK)
        if not self.text.startswith(bracket, self.at):
            return False
        self.at += 1
        return True

    def _comma(self, bracket: str) -> None:
        self._skip(_BLANK)
        if not self.text.startswith(bracket, self.at):
            self._take(",")

    def _keys(self) -> list[str]:
        keys = [self._key()]
        while self.text.startswith(".", self._skip(_SPACE)):
            self.at += 1
            keys.append(self._key())
        return keys

    def _key(self) -> str:
        self._skip(_SPACE)
        if self.text[self.at : self.at + 1] in ('"', "'"):
            try:
                return str(tomllib.loads(f"k = {self._match(_STRING)}")["k"])
            except tomllib.TOMLDecodeError as error:
                raise _Lost from error
        return self._match(_BARE)

    def _take(self, mark: str) -> None:
        if not self.text.startswith(mark, self._skip(_SPACE)):
            raise _Lost
        self.at += len(mark)

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise _Lost
        self.at = found.end()
        return found[0]

    def _skip(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.at

    def _here(self) -> int:
        """The line of the present place; counts on from the last time it was asked."""
        self._line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._line
