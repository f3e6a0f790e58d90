"""Whether the cluster can keep and give what it holds: what is missing or blocked, named index by index."""

from __future__ import annotations

from collections.abc import Iterator

from elasticsearch import Elasticsearch

from pipeline.store.elastic.client import blocked

SETTLING = "5s"
"""How long is waited for shards that are just being made; until then an index looks worse than it is."""
_BLOCKS = {
    "index.blocks.read_only_allow_delete": "/12/",
    "index.blocks.read_only": "index read-only",
    "index.blocks.write": "index write",
    "index.blocks.read": "index read",
}


def troubles(client: Elasticsearch, prefix: str) -> list[str]:
    """Sentences about the indices of a prefix; empty when all their shards and copies are there and can be written."""
    return [*_missing(client, prefix), *_blocked(client, prefix)]


def _missing(client: Elasticsearch, prefix: str) -> Iterator[str]:
    health = client.options(ignore_status=408).cluster.health(
        index=f"{prefix}-*",
        level="indices",
        wait_for_no_initializing_shards=True,
        timeout=SETTLING,
        expand_wildcards="open",
    )
    for index, found in sorted(health.body.get("indices", {}).items()):
        if found["status"] == "red":
            yield (
                f"the index {index} is red: {found['number_of_shards'] - found['active_primary_shards']} of its "
                f"{found['number_of_shards']} shards on no node; start the missing nodes, or restore the last snapshot"
            )
        elif found["status"] == "yellow":
            yield (
                f"the index {index} is yellow: copies of it are on no node; start the missing nodes, or set [store] "
                "replicas to fewer than there are nodes"
            )


def _blocked(client: Elasticsearch, prefix: str) -> Iterator[str]:
    settings = client.indices.get_settings(index=f"{prefix}-*", name="index.blocks.*", flat_settings=True)
    for index, found in sorted(settings.items()):
        for name, sign in _BLOCKS.items():
            if found["settings"].get(name) == "true":
                yield blocked(f"index [{index}] blocked by: [{sign}]")
