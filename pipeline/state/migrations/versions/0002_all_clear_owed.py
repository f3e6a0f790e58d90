"""The all clear still owed becomes a column of the incident, so that nobody has to look into its facts."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_incident = sa.table("incident", sa.column("id"), sa.column("facts", sa.JSON), sa.column("all_clear_owed", sa.Boolean))


def upgrade() -> None:
    op.add_column("incident", sa.Column("all_clear_owed", sa.Boolean, nullable=False, server_default=sa.false()))
    connection = op.get_bind()
    for number, facts in connection.execute(sa.select(_incident.c.id, _incident.c.facts)).all():
        kept = dict(facts)
        if "all_clear_owed" in kept:
            owed = bool(kept.pop("all_clear_owed"))
            connection.execute(
                sa.update(_incident).where(_incident.c.id == number).values(facts=kept, all_clear_owed=owed)
            )
