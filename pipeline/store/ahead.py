"""Making the next while one is in use: whoever waits for a server or a disk has something to do meanwhile."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Generator[T]) -> Generator[T]:
    """The same items in the same order, of which one at most is made beforehand, in another thread.

    An error comes where the item would. The generator is closed with this one, never while it runs.
    """
    with closing(items), ThreadPoolExecutor(1, "ahead") as pool:

        def ask() -> list[T]:
            return [item for item in (next(items, _END),) if not isinstance(item, _End)]

        coming = pool.submit(ask)
        while found := coming.result():
            coming = pool.submit(ask)
            yield found[0]


class _End:
    """Stands for no item."""


_END = _End()
