"""What visits bring at the same time goes into the pipeline together: a batch costs much more than an item in it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.item import Item
from pipeline.run import BATCH


@dataclass(frozen=True, slots=True)
class _Given:
    """What one visit waits for."""

    items: Sequence[Item]
    done: asyncio.Future[None]


class Gathering:
    """Feeds one batch at a time, in a thread; what comes meanwhile waits, without a thread, and goes on as one batch.

    ``feed`` makes items durable or raises.
    """

    def __init__(self, feed: Callable[[Sequence[Item]], object], *, batch: int = BATCH) -> None:
        self._feed, self._batch = feed, batch
        self._waiting: deque[_Given] = deque()
        self._task: asyncio.Task[None] | None = None

    async def feed(self, items: Sequence[Item]) -> None:
        """Returns when all of these are durable; raises what kept them from it."""
        given = _Given(items, asyncio.get_running_loop().create_future())
        self._waiting.append(given)
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        await given.done

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._pass_on(self._taken())
        finally:
            self._task = None

    def _taken(self) -> list[_Given]:
        """The oldest that make one batch. What two visits bring of one mention must be merged, so it goes apart."""
        taken, known = [self._waiting.popleft()], set[tuple[str, str]]()
        known.update(_names(taken[0]))
        size = len(taken[0].items)
        while self._waiting:
            following = self._waiting[0]
            size += len(following.items)
            if size > self._batch or not known.isdisjoint(_names(following)):
                break
            known.update(_names(following))
            taken.append(self._waiting.popleft())
        return taken

    async def _pass_on(self, group: Sequence[_Given]) -> None:
        try:
            await asyncio.to_thread(self._feed, [item for given in group for item in given.items])
        except Exception as error:
            if len(group) == 1:
                _settle(group[0], error)
                return
            for given in group:  # one may be to blame: the others are not to fail with it
                await self._pass_on([given])
        else:
            for given in group:
                _settle(given, None)


def _names(given: _Given) -> set[tuple[str, str]]:
    return {(item.origin, item.native_id) for item in given.items}


def _settle(given: _Given, error: Exception | None) -> None:
    if given.done.done():  # nobody waits any longer
        return
    if error is None:
        given.done.set_result(None)
    else:
        given.done.set_exception(error)
