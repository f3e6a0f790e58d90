"""Leases of whatever one process does alone, and the due sources found without looking at all of them."""

import sqlalchemy as sa
from alembic import op

from pipeline.state.tables import Utc

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "lease",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("until", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name"),
    )
    op.create_index("source_next_due", "source", ["next_due"])
    op.create_index("outbox_next_try", "outbox", ["state", "next_try"])
