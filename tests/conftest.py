"""What all tests share: the real servers, each started once, by the first test that asks for it."""

from elastic import elastic_client, elastic_prefix, elastic_secured, elastic_url
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
