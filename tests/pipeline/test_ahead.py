"""The next item is made while one is used; nothing is lost, and what made them is closed."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from pipeline.store.ahead import ahead


class Source:
    """Counts up, and remembers how far it came and whether it was closed."""

    def __init__(self, count: int, fails_at: int | None = None) -> None:
        self.count, self.fails_at = count, fails_at
        self.made, self.closed = 0, False
        self.second = threading.Event()

    def items(self) -> Generator[int]:
        try:
            for number in range(self.count):
                if number == self.fails_at:
                    raise ValueError("away")
                self.made += 1
                if self.made == 2:
                    self.second.set()
                yield number
        finally:
            self.closed = True


@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_everything_comes_in_order(count: int) -> None:
    source = Source(count)
    assert list(ahead(source.items())) == list(range(count))
    assert source.closed


def test_one_is_made_while_another_is_used_and_no_more() -> None:
    source = Source(50)
    coming = ahead(source.items())
    assert next(coming) == 0
    assert source.second.wait(30)
    assert source.made == 2


def test_an_error_comes_after_what_was_made_before_it() -> None:
    source, found = Source(9, fails_at=3), list[int]()
    with pytest.raises(ValueError, match="away"):
        for number in ahead(source.items()):
            found.append(number)
    assert found == [0, 1, 2]
    assert source.closed


def test_whoever_stops_early_closes_it() -> None:
    source = Source(50)
    coming = ahead(source.items())
    next(coming)
    coming.close()
    assert source.closed
    assert source.made <= 2
