"""Databases on servers that are away for a while: what a process says of it, once and then seldom."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

import sqlalchemy as sa
import structlog

from pipeline.state.opening import StateAway, StateUnavailable, first_line, is_gone
from pipeline.store.protocol import StoreAway, StoreError

log = structlog.get_logger()
AGAIN = 300.0
"""Seconds after which it is said once more that a database is still away."""

_NAMES = {"store": "the mention store", "state": "the state database"}


def is_away(error: BaseException) -> bool:
    """Whether waiting helps: a server does not answer. Wrong passwords and versions do not mend themselves."""
    return isinstance(error, StoreAway | StateAway) or (isinstance(error, sa.exc.DBAPIError) and is_gone(error))


class Absences:
    """What one process has noticed. Safe to use from several threads."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic, self._lock = monotonic, Lock()
        self._known: dict[tuple[str, str], _Absence] = {}
        """By (store or state, trouble other than absence)."""

    def noticed(self, error: BaseException, by: str) -> bool:
        """Whether the error, met by the named work, is that a database cannot be used now: then it is said in one
        sentence, unless it was lately, and there is nothing more to be told. False: the error is another one.
        """
        which, reason = _about(error)
        if not which:
            return False
        away = is_away(error)
        key = (which, "" if away else reason)  # each other trouble is one of its own, and may not pass by itself
        with self._lock:
            now = self._monotonic()
            known = self._known.get(key)
            if known is None:
                known = self._known[key] = _Absence(now)
                said = "cannot be used now; what needs it waits and goes on later" if away else "answers with an error"
                log.warning(f"{_NAMES[which]} {said}", reason=reason)
            elif now - known.told >= AGAIN:
                known.told = now
                said = "still cannot be used" if away else "still answers with an error"
                log.warning(f"{_NAMES[which]} {said}", reason=reason, for_s=round(now - known.since))
            known.met_by.add(by)
        return True

    def over(self, by: str) -> None:
        """The named work was done. If it had met an absence, that one has ended."""
        with self._lock:
            for key in [key for key, known in self._known.items() if by in known.met_by]:
                lasted = self._monotonic() - self._known.pop(key).since
                log.info(f"{_NAMES[key[0]]} can be used again", after_s=round(lasted))


class _Absence:
    """Since when, when it was said last, and which work has met it."""

    def __init__(self, now: float) -> None:
        self.since = self.told = now
        self.met_by: set[str] = set()


def _about(error: BaseException) -> tuple[str, str]:
    """(store or state, why); nothing where it is about neither."""
    if isinstance(error, StoreError):
        return "store", str(error)
    if isinstance(error, StateUnavailable):
        return "state", str(error)
    if isinstance(error, sa.exc.DBAPIError) and is_gone(error):
        return "state", first_line(error)
    return "", ""


absences = Absences()
"""Those of this process."""
