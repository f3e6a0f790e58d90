"""All tables of the state database. Times are ISO-free: UTC, aware, through ``Utc``. JSON columns hold plain data."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator


class Utc(TypeDecorator[datetime]):
    """An aware time, stored as microseconds since 1970 in UTC, so that both engines compare alike."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive time {value!r} offered to the state database")
        return round(value.timestamp() * 1_000_000)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else datetime.fromtimestamp(value / 1_000_000, UTC)


class Text(TypeDecorator[str]):
    """Text of any page of the world: the character that PostgreSQL refuses is replaced, on both engines alike."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else str(value).replace("\0", "\ufffd")


metadata = sa.MetaData()
Int, Json, Bool, Float = sa.BigInteger, sa.JSON, sa.Boolean, sa.Float


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


meta = sa.Table("meta", metadata, sa.Column("key", Text, primary_key=True), sa.Column("value", Text, nullable=False))
lease = sa.Table(
    "lease",
    metadata,
    sa.Column("kind", Text, primary_key=True),
    sa.Column("name", Text, primary_key=True),
    sa.Column("worker", Text, nullable=False),
    sa.Column("until", Utc, nullable=False),
)

# --- crawling -------------------------------------------------------------------------------------------------

source = sa.Table(
    "source",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("spider", Text, nullable=False),
    sa.Column("url", Text, nullable=False),
    sa.Column("channel", Text, nullable=False),
    sa.Column("about", Text),
    sa.Column("state", Text, nullable=False),
    sa.Column("reason", Text, nullable=False, server_default=""),
    sa.Column("state_since", Utc, nullable=False),
    sa.Column("complete_from", Utc),
    sa.Column("watermark", Utc),
    sa.Column("first_contact_at", Utc),
    sa.Column("last_start", Utc),
    sa.Column("last_end", Utc),
    sa.Column("last_ok", Utc),
    sa.Column("last_answer", Text),
    sa.Column("next_due", Utc, nullable=False),
    sa.Column("interval_s", Float, nullable=False),
    sa.Column("failures", Int, nullable=False, server_default="0"),
    sa.Column("items_seen", Int, nullable=False, server_default="0"),
    sa.Column("cursor", Json, nullable=False),
    sa.Column("worker", Text),
    sa.Column("leased_until", Utc),
    sa.Column("pace_s", Float),
    sa.Column("hot_until", Utc),
    sa.Column("hot_s", Float),
    sa.Column("newest_at", Utc),
    sa.Column("gap_s", Float),
    sa.Index("source_next_due", "next_due"),
)
thread_cursor = sa.Table(
    "thread_cursor",
    metadata,
    sa.Column("source", Text, primary_key=True),
    sa.Column("thread", Text, primary_key=True),
    sa.Column("last_item", Text),
    sa.Column("last_time", Utc),
    sa.Column("count", Int),
    sa.Column("seen", Utc, nullable=False),
    sa.Column("extra", Json, nullable=False),
)
hole = sa.Table(
    "hole",
    metadata,
    _id(),
    sa.Column("source", Text, nullable=False, index=True),
    sa.Column("start", Utc, nullable=False),
    sa.Column("end", Utc, nullable=False),
    sa.Column("reason", Text, nullable=False),
)
fetch = sa.Table(
    "fetch",
    metadata,
    _id(),
    sa.Column("source", Text, nullable=False),
    sa.Column("at", Utc, nullable=False),
    sa.Column("url", Text, nullable=False),
    sa.Column("answer", Text, nullable=False),
    sa.Column("status", Int),
    sa.Column("bytes", Int),
    sa.Column("ms", Int),
    sa.Column("items", Int),
    sa.Column("reason", Text, nullable=False, server_default=""),
    sa.Column("sha256", Text),
    sa.Index("fetch_source_at", "source", "at"),
    sa.Index("fetch_at", "at"),
)
host = sa.Table(
    "host",
    metadata,
    sa.Column("host", Text, primary_key=True),
    sa.Column("next_at", Utc),
    sa.Column("lease", Text),
    sa.Column("leased_until", Utc),
    sa.Column("backoff_until", Utc),
    sa.Column("backoff_s", Float, nullable=False, server_default="0"),
    sa.Column("robots", Text),
    sa.Column("robots_at", Utc),
    sa.Column("tdm", Json),
    sa.Column("tdm_at", Utc),
)
revisit = sa.Table(
    "revisit",
    metadata,
    sa.Column("source", Text, primary_key=True),
    sa.Column("page", Text, primary_key=True),
    sa.Column("step", Int, nullable=False),
    sa.Column("due", Utc, nullable=False),
    sa.Column("items", Json, nullable=False),
    sa.Index("revisit_source_due", "source", "due"),
)
quota = sa.Table(
    "quota",
    metadata,
    sa.Column("name", Text, primary_key=True),
    sa.Column("start", Utc, primary_key=True),
    sa.Column("used", Int, nullable=False),
    sa.Column("limit", Int, nullable=False),
)
refused = sa.Table(
    "refused",
    metadata,
    sa.Column("rule", Text, primary_key=True),
    sa.Column("day", Text, primary_key=True),
    sa.Column("count", Int, nullable=False),
)
blocked_domain = sa.Table(
    "blocked_domain",
    metadata,
    sa.Column("domain", Text, primary_key=True),
    sa.Column("by", Text, nullable=False),
    sa.Column("reason", Text, nullable=False),
    sa.Column("at", Utc, nullable=False),
)
removal = sa.Table(
    "removal",
    metadata,
    _id(),
    sa.Column("source", Text, nullable=False, index=True),
    sa.Column("uid", Text, nullable=False),
    sa.Column("url", Text, nullable=False),
    sa.Column("at", Utc, nullable=False),
    sa.Column("note", Text, nullable=False),
)
contact = sa.Table(
    "contact",
    metadata,
    sa.Column("brand", Text, primary_key=True),
    sa.Column("day", Text, primary_key=True),
    sa.Column("kind", Text, primary_key=True),
    sa.Column("count", Int, nullable=False),
    sa.Column("by", Text, nullable=False),
    sa.Column("at", Utc, nullable=False),
)
validator = sa.Table(
    "validator",
    metadata,
    sa.Column("url", Text, primary_key=True),
    sa.Column("etag", Text),
    sa.Column("last_modified", Text),
    sa.Column("at", Utc, nullable=False),
)
raw_page = sa.Table(
    "raw_page",
    metadata,
    sa.Column("sha256", Text, primary_key=True),
    sa.Column("url", Text, nullable=False),
    sa.Column("source", Text, nullable=False),
    sa.Column("at", Utc, nullable=False, index=True),
    sa.Column("bytes", Int, nullable=False),
    sa.Column("frozen_until", Utc),
    sa.Column("frozen_by", Text),
    sa.Column("frozen_reason", Text),
)
thread = sa.Table(
    "thread",
    metadata,
    sa.Column("origin", Text, primary_key=True),
    sa.Column("thread", Text, primary_key=True),
    sa.Column("title", Text, nullable=False),
    sa.Column("brands", Json, nullable=False),
    sa.Column("opening_read", Bool, nullable=False),
    sa.Column("at", Utc, nullable=False),
)
result_list = sa.Table(
    "result_list",
    metadata,
    _id(),
    sa.Column("source", Text, nullable=False),
    sa.Column("query", Text, nullable=False),
    sa.Column("at", Utc, nullable=False),
    sa.Column("unresponsive", Json, nullable=False),
    sa.Index("result_list_source_at", "source", "at"),
)
result = sa.Table(
    "result",
    metadata,
    sa.Column("list", Int, primary_key=True),
    sa.Column("position", Int, primary_key=True),
    sa.Column("url", Text, nullable=False),
    sa.Column("title", Text, nullable=False),
    sa.Column("snippet", Text, nullable=False),
    sa.Column("engines", Json, nullable=False),
    sa.Column("uid", Text, nullable=False),
)

# --- what people say ------------------------------------------------------------------------------------------

correction = sa.Table(
    "correction",
    metadata,
    _id(),
    sa.Column("uid", Text, nullable=False, index=True),
    sa.Column("brand", Text),
    sa.Column("tone", Text, nullable=False),
    sa.Column("by", Text, nullable=False),
    sa.Column("at", Utc, nullable=False),
    sa.Column("applied", Utc),
)
erasure = sa.Table(
    "erasure",
    metadata,
    sa.Column("uid", Text, primary_key=True),
    sa.Column("reason", Text, nullable=False),
    sa.Column("at", Utc, nullable=False),
)
audit = sa.Table(
    "audit",
    metadata,
    _id(),
    sa.Column("at", Utc, nullable=False),
    sa.Column("who", Text, nullable=False),
    sa.Column("what", Text, nullable=False),
    sa.Column("details", Json, nullable=False),
)

# --- rules and incidents --------------------------------------------------------------------------------------

rule_state = sa.Table(
    "rule_state",
    metadata,
    sa.Column("rule", Text, primary_key=True),
    sa.Column("version", Int, primary_key=True),
    sa.Column("stream", Text, primary_key=True),
    sa.Column("blob", sa.LargeBinary, nullable=False),
    sa.Column("updated", Utc, nullable=False),
)
fed = sa.Table(
    "fed",
    metadata,
    sa.Column("rule", Text, primary_key=True),
    sa.Column("version", Int, primary_key=True),
    sa.Column("shard", Text, primary_key=True),
    sa.Column("source", Text, primary_key=True),
    sa.Column("until", Utc, nullable=False),
)
alert = sa.Table(
    "alert",
    metadata,
    sa.Column("rule", Text, primary_key=True),
    sa.Column("stream", Text, primary_key=True),
    sa.Column("key", Text, primary_key=True),
    sa.Column("version", Int, nullable=False),
    sa.Column("brand", Text, nullable=False),
    sa.Column("at", Utc, nullable=False),
    sa.Column("incident", Int, index=True),
    sa.Column("facts", Json, nullable=False),
)
incident = sa.Table(
    "incident",
    metadata,
    _id(),
    sa.Column("brand", Text, nullable=False, index=True),
    sa.Column("topic", Text, nullable=False, server_default=""),
    sa.Column("state", Text, nullable=False, index=True),
    sa.Column("level", Int, nullable=False),
    sa.Column("peak", Int, nullable=False),
    sa.Column("trend", Text, nullable=False, server_default="steady"),
    sa.Column("started", Utc, nullable=False),
    sa.Column("opened", Utc, nullable=False),
    sa.Column("updated", Utc, nullable=False),
    sa.Column("below_since", Utc),
    sa.Column("acknowledged", Utc),
    sa.Column("acknowledged_by", Text),
    sa.Column("resolved", Utc),
    sa.Column("resolved_by", Text),
    sa.Column("false_alarm", Bool, nullable=False, server_default=sa.false()),
    sa.Column("all_clear_owed", Bool, nullable=False, server_default=sa.false()),
    sa.Column("first_message_id", Text),
    sa.Column("transitions", Int, nullable=False, server_default="0"),
    sa.Column("facts", Json, nullable=False),
)
incident_member = sa.Table(
    "incident_member",
    metadata,
    sa.Column("incident", Int, primary_key=True),
    sa.Column("uid", Text, primary_key=True, index=True),
    sa.Column("since", Utc, nullable=False),
)
incident_event = sa.Table(
    "incident_event",
    metadata,
    _id(),
    sa.Column("incident", Int, nullable=False, index=True),
    sa.Column("at", Utc, nullable=False),
    sa.Column("kind", Text, nullable=False),
    sa.Column("by", Text, nullable=False),
    sa.Column("text", Text, nullable=False),
    sa.Column("details", Json, nullable=False),
)
evaluation = sa.Table(
    "evaluation",
    metadata,
    _id(),
    sa.Column("rule", Text, nullable=False),
    sa.Column("version", Int, nullable=False),
    sa.Column("brand", Text, nullable=False),
    sa.Column("at", Utc, nullable=False),
    sa.Column("incident", Int, index=True),
    sa.Column("level", Int, nullable=False),
    sa.Column("facts", Json, nullable=False),
    sa.Index("evaluation_brand_at", "brand", "at"),
)
silence = sa.Table(
    "silence",
    metadata,
    _id(),
    sa.Column("brand", Text),
    sa.Column("rule", Text),
    sa.Column("incident", Int),
    sa.Column("by", Text, nullable=False),
    sa.Column("reason", Text, nullable=False),
    sa.Column("created", Utc, nullable=False),
    sa.Column("ends", Utc, nullable=False),
)

# --- delivery -------------------------------------------------------------------------------------------------

outbox = sa.Table(
    "outbox",
    metadata,
    _id(),
    sa.Column("subject", Text, nullable=False),
    sa.Column("number", Int, nullable=False),
    sa.Column("receiver", Text, nullable=False),
    sa.Column("notifier", Text, nullable=False),
    sa.Column("message_id", Text, nullable=False, unique=True),
    sa.Column("kind", Text, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("state", Text, nullable=False, index=True),
    sa.Column("composed", Utc, nullable=False),
    sa.Column("attempts", Int, nullable=False, server_default="0"),
    sa.Column("next_try", Utc, nullable=False),
    sa.Column("sent", Utc),
    sa.Column("worker", Text),
    sa.Column("leased_until", Utc),
    sa.Column("last_error", Text, nullable=False, server_default=""),
    sa.UniqueConstraint("subject", "number", "receiver", "notifier", name="outbox_once"),
    sa.Index("outbox_next_try", "state", "next_try"),
)
pending_message = sa.Table(
    "pending_message",
    metadata,
    _id(),
    sa.Column("subject", Text, nullable=False),
    sa.Column("number", Int, nullable=False),
    sa.Column("receiver", Text, nullable=False),
    sa.Column("notifier", Text, nullable=False),
    sa.Column("kind", Text, nullable=False),
    sa.Column("held_for", Text, nullable=False),
    sa.Column("release_at", Utc),
    sa.Column("created", Utc, nullable=False),
    sa.Column("facts", Json, nullable=False),
)
journal = sa.Table(
    "journal",
    metadata,
    _id(),
    sa.Column("at", Utc, nullable=False),
    sa.Column("kind", Text, nullable=False),
    sa.Column("subject", Text, nullable=False, index=True),
    sa.Column("number", Int, nullable=False),
    sa.Column("receiver", Text, nullable=False),
    sa.Column("notifier", Text, nullable=False),
    sa.Column("message_id", Text),
    sa.Column("text", Text, nullable=False),
)
