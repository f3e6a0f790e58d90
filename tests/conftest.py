"""What all tests share: the real servers, each started once, by the first test that asks for it."""

from elastic import elastic_client, elastic_prefix, elastic_secured, elastic_url
from hypothesis import HealthCheck, settings
from postgres import postgres, postgres_table, state_table

__all__ = [
    "elastic_client",
    "elastic_prefix",
    "elastic_secured",
    "elastic_url",
    "postgres",
    "postgres_table",
    "state_table",
]

# No example fails for the time it takes: how long that is depends on what else the machine does.
settings.register_profile("patient", settings(deadline=None, suppress_health_check=[HealthCheck.too_slow]))
settings.load_profile("patient")
