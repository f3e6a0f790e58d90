"""What the many kinds of places need: adapted pace, follow-up visits, quotas, reservations, refusals, contacts."""

import sqlalchemy as sa
from alembic import op

from pipeline.state.tables import Utc

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for column in (
        sa.Column("pace_s", sa.Float()),
        sa.Column("hot_until", Utc()),
        sa.Column("hot_s", sa.Float()),
        sa.Column("newest_at", Utc()),
        sa.Column("gap_s", sa.Float()),
    ):
        op.add_column("source", column)
    op.add_column("host", sa.Column("tdm", sa.JSON()))
    op.add_column("host", sa.Column("tdm_at", Utc()))
    op.create_table(
        "revisit",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("page", sa.Text(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("due", Utc(), nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("source", "page"),
    )
    op.create_index("revisit_source_due", "revisit", ["source", "due"])
    op.create_table(
        "quota",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("start", Utc(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("limit", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "start"),
    )
    op.create_table(
        "refused",
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("rule", "day"),
    )
    op.create_table(
        "blocked_domain",
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("domain"),
    )
    op.create_table(
        "removal",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("at", Utc(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_removal_source", "removal", ["source"])
    op.create_table(
        "contact",
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("brand", "day", "kind"),
    )
