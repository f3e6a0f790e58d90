"""An occasion to tell somebody something: what rules and incidents hand to composing and delivery.

Stands between ``stages`` (whom to tell, when) and ``compose`` (the words). One occasion is one numbered transition of
one subject; every receiver gets at most one message of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from alerts.facts import Facts


class MessageKind(StrEnum):
    """Why a message is sent."""

    NEW = "new"
    UP = "up"
    DOWN = "down"
    UPDATE = "update"
    ALL_CLEAR = "all_clear"
    BLIND = "blind"
    SIGHTED = "sighted"
    KEYWORD = "keyword"
    TEST = "test"


class Occasion(msgspec.Struct, frozen=True, kw_only=True):
    """One transition of one subject, as plain data: ``msgspec.to_builtins`` and ``convert`` keep it in a JSON column.

    ``extra`` by kind; times are ISO 8601, every key may be missing:

    - every kind of an incident: ``topic`` (word or words), ``receivers`` (ids of all who get it), ``acknowledge_by``,
      ``next_update`` (if the numbers change), ``acknowledged_by``, ``folded`` (number of changes overtaken while held)
    - ``all_clear``: ``started``, ``peak``, ``false_alarm``, ``resolved_by``
    - ``blind``, ``sighted``: ``source`` (id), ``state``, ``reason``, ``since``
    - ``keyword``: ``query``, ``mentions`` = [{uid, at, source, quote, url}, …], ``count`` (of all, not only the quoted)
    """

    subject: str
    """``incident:127``, ``source:forum``, ``keyword:RULE:BRAND`` or ``test``: see ``subject_of``."""
    number: int
    """Counts the transitions of the subject from 1."""
    kind: MessageKind
    at: datetime
    """When it came to be: the state change, not the sending."""
    brand: str | None = None
    level: int | None = None
    previous_level: int | None = None
    incident: int | None = None
    facts: Facts | None = None
    rule: str | None = None
    """Id of the rule entry in the configuration, as people know it."""
    rule_version: int | None = None
    counted_until: datetime | None = None
    """End of what it tells of. What ends before a data folder was restored is not told again; None is always told."""
    extra: Mapping[str, Any] = {}


def subject_of(*, incident: int | None = None, source: str | None = None, keyword: str | None = None) -> str:
    """The subject of an occasion: ``incident:127``, ``source:forum``, ``keyword:RULE:BRAND``, else ``test``."""
    if incident is not None:
        return f"incident:{incident}"
    if source is not None:
        return f"source:{source}"
    return f"keyword:{keyword}" if keyword is not None else "test"
