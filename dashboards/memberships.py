"""Which incidents a mention belongs to, as the names people read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

import sqlalchemy as sa

from alerts.incidents import incident_name
from dashboards.house import House, NotReady
from pipeline.state.tables import incident_member


def incidents_of(house: House, uids: Iterable[str]) -> dict[str, list[str]]:
    """uid → names of its incidents, oldest first; mentions without one are missing."""
    wanted, found = list(uids), defaultdict[str, list[str]](list)
    columns = (incident_member.c.uid, incident_member.c.incident)
    try:
        state = house.state()
    except NotReady:
        return {}
    with state.read() as connection:
        for start in range(0, len(wanted), 500):
            among = incident_member.c.uid.in_(wanted[start : start + 500])
            for uid, number in connection.execute(sa.select(*columns).where(among).order_by(*columns)):
                found[uid].append(incident_name(number))
    return dict(found)


def lookup(house: House) -> Callable[[str], list[str]]:
    """The same for an export: all memberships read once."""
    found = defaultdict[str, list[str]](list)
    try:
        state = house.state()
    except NotReady:
        return lambda uid: []
    with state.read() as connection:
        rows = connection.execute(sa.select(incident_member.c.uid, incident_member.c.incident))
        for uid, number in rows:
            found[uid].append(incident_name(number))
    return lambda uid: found.get(uid, [])
