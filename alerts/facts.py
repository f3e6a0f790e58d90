"""The numbers of one situation, made once: mail, page, interface and command line all show these."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """A share with its 95 % Wilson interval and n. There is none below the minimum n."""

    value: float
    low: float
    high: float
    n: int


class Voice(msgspec.Struct, frozen=True, kw_only=True):
    """A quoted voice and why it was chosen: earliest, most_copied, typical."""

    why: str
    uid: str
    at: datetime
    source: str
    quote: str
    url: str | None


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One bar of the chart: critical persons in one bin of local time, with what is usual."""

    start: datetime
    end: datetime
    persons: int
    expected: float | None
    low: float | None
    high: float | None
    exposure: float
    """Share of the bin that has been crawled; 0 is drawn grey."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """The situation of one brand at one moment."""

    brand: str
    at: datetime
    window_start: datetime
    window_end: datetime
    state: str
    """learning, normal, firing, no_data, suppressed"""
    level: int
    trend: str
    """rising, steady, falling"""
    since: datetime | None
    """Begin of what raised the alarm: its first voice."""
    incident: int | None
    persons: int
    """Critical persons in the window."""
    posts: int
    """Critical posts in the window."""
    all_posts: int
    copies: int
    without_author: int
    late: int
    earlier: int = 0
    """Of the critical posts those that were published before the window: a search by that time does not find them."""
    persons_expected: float | None
    persons_low: int | None
    persons_high: int | None
    return_period_days: float | None
    share: Share | None
    usual_share: float | None
    not_scored: int
    first_time: int
    top3_posts: int
    by_source: tuple[tuple[str, int], ...]
    """(source, critical persons), most first."""
    by_channel: tuple[tuple[str, int], ...]
    outlets: int
    """Independent news and blog outlets in the window."""
    complete_until: datetime | None
    sources_total: int
    sources_healthy: int
    sources_blind: tuple[tuple[str, datetime | None, str], ...]
    """(source, since, reason) of every source that is blind, late or behind."""
    reasons: tuple[tuple[str, Mapping[str, Any]], ...]
    """(message key, numbers): why this level."""
    next_level: tuple[tuple[str, Mapping[str, Any]], ...]
    """What would make it one more."""
    voices: tuple[Voice, ...]
    bars: tuple[Bar, ...]
    rule: str | None = None
    rule_version: int | None = None
    alarm: datetime | None = None
    """When the incident was opened."""
