"""Whether the mention store answers: for the strip above every page, also of those that need nothing from it."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Lock, Thread

FRESH = 5.0
"""Seconds for which an answer stands."""
PATIENCE = 3.0
"""Seconds that a page waits for one; a store that hangs must not hang the pages."""


class Probe:
    """Asks in a thread of its own, one question at a time. Safe to use from several threads."""

    def __init__(
        self, ask: Callable[[], str], *, patience: float = PATIENCE, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask, self._patience, self._monotonic = ask, patience, monotonic
        self._lock = Lock()
        self._question: _Question | None = None

    def trouble(self) -> str | None:
        """Empty when all is well, else why not; None where it has not answered in time."""
        with self._lock:
            question, now = self._question, self._monotonic()
            if question is None or (question.answered.is_set() and now - question.at >= FRESH):
                question = self._question = _Question(now)
                Thread(target=self._put, args=(question,), daemon=True).start()  # ends with us even if it hangs
        left = question.at + self._patience - self._monotonic()
        return question.answer if question.answered.wait(max(left, 0.0)) else None

    def _put(self, question: _Question) -> None:
        try:
            question.answer = self._ask()
        except Exception as error:
            question.answer = repr(error)
        question.answered.set()


class _Question:
    """When it was put, and what came of it."""

    def __init__(self, at: float) -> None:
        self.at, self.answer, self.answered = at, "", Event()
