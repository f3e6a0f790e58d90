"""From an older mapping to this release's: read month by month, analysed again, written beside, swapped in at once.

Readers see the old indices until the last month agrees, and the new ones from then on. Writers must pause, and are
made to: the old indices are closed to writing, also those of months that begin meanwhile, so that mentions wait in the
spools of their processes. A migration that died goes on where it was.

Of an older document nothing is used but ``uid``, ``revision``, ``doc``, ``first_known_us``, ``known_us``,
``known_to_us``, ``event_us``, ``event_second`` and ``event_time``: these stay in every version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from elasticsearch import Elasticsearch
from elasticsearch.helpers import BulkIndexError, ScanError, scan, streaming_bulk

from pipeline.clock import Clock
from pipeline.store.copying import Compared, move
from pipeline.store.elastic import mapping
from pipeline.store.elastic.access import Access
from pipeline.store.elastic.client import guarded
from pipeline.store.elastic.names import MAPPING_VERSION, Names, month
from pipeline.store.elastic.side import MAPPINGS as SIDES
from pipeline.store.elastic.side import alias_of, index_of
from pipeline.store.elastic.transfer import ElasticTransfer
from pipeline.store.protocol import StoreError


def _none(uids: Sequence[str]) -> set[str]:
    return set()


class Migration:
    """One store on a cluster that may be of an older mapping. ``client`` stays the caller's.

    Raises StoreError where there is no store, or a newer one.
    """

    def __init__(self, client: Elasticsearch, prefix: str, *, clock: Clock, replicas: int = 0) -> None:
        self._client, self._clock, self._replicas = client, clock, replicas
        self._names = Names(prefix)
        with guarded():
            found = mapping.version_there(client, self._names)
        if found is None:
            raise StoreError(f"there is no mention store under the name {prefix} on this Elasticsearch yet")
        if found > MAPPING_VERSION:
            raise StoreError(
                f"the indices {prefix}-* have mapping version {found}, this release knows {MAPPING_VERSION} at most:"
                " use the newer release again"
            )
        self.before, self.now = found, MAPPING_VERSION
        self._old = Names(prefix, version=found, aliased=False)
        self._new = Names(prefix, aliased=False)

    @property
    def due(self) -> bool:
        """Whether there is anything to migrate."""
        return self.before != self.now

    def mentions(self) -> int:
        """How many are to be migrated."""
        with guarded():
            return int(self._client.count(index=self._old.mentions)["count"]) if self.due else 0

    def run(self, moved: Callable[[int], None] = lambda mentions: None) -> tuple[Compared, ...]:
        """Migrate; ``moved`` is told of mentions twice, when they are written and when they are read back.

        Gives what was compared. The new indices take over only where everything agrees.
        """
        with guarded():
            if not self.due:
                self._clear_away()
                return ()
            self._hold_writers()
            mapping.make_beside(self._client, self._new, self._replicas)
        taker = self._transfer(self._new)
        taker.look()
        parts = move(self._transfer(self._old), taker, moved=moved)
        if all(part.agrees for part in parts):
            with guarded():
                self._copy_sides()
                self._swap()
                mapping.note_version(self._client, self._names, self._replicas, month(self._clock.now()))
                self._clear_away()
        return parts

    def _transfer(self, names: Names) -> ElasticTransfer:
        def ensure(month: str) -> None:
            mapping.make_unseen(self._client, names, month, self._replicas)

        return ElasticTransfer(Access(self._client, names, self._clock), _none, joins=False, ensure=ensure)

    # --- writers --------------------------------------------------------------------------------------------------

    def _hold_writers(self) -> None:
        """Close the old indices to writing, and those that a writer of the old release may still make."""
        templates = self._client.options(ignore_status=404).indices
        for alias, pattern in zip((self._names.mentions, self._names.history), self._old.of_months, strict=True):
            for found in templates.get_index_template(name=alias).get("index_templates", ()):
                body = found["index_template"]
                if body["index_patterns"] == [pattern]:
                    body["template"].setdefault("settings", {}).setdefault("index", {})["blocks"] = {"write": True}
                    templates.put_index_template(
                        name=alias, index_patterns=[pattern], priority=body["priority"], template=body["template"]
                    )
        for index in self._of_version(self.before):
            self._client.indices.add_block(index=index, block="write")

    def _of_version(self, version: int) -> list[str]:
        """Every index of a version: months, stories, erased, and what lies beside mentions."""
        names = Names(self._names.prefix, version=version)
        patterns = [*names.of_months, names.stories, names.erased, *(index_of(names, side) for side in SIDES)]
        found = self._client.indices.get(
            index=patterns, ignore_unavailable=True, allow_no_indices=True, filter_path="*.settings.index.uuid"
        )
        return sorted(found.body)

    # --- what lies beside mentions --------------------------------------------------------------------------------

    def _copy_sides(self) -> None:
        """Events, result lists and series are rows that no analysis has touched: they go over as they are."""
        for side, properties in SIDES.items():
            old, new = index_of(self._old, side), index_of(self._new, side)
            if not self._client.indices.exists(index=old):
                continue
            self._client.options(ignore_status=400).indices.create(
                index=new,
                mappings={"dynamic": "strict", "properties": properties},
                settings={"number_of_shards": 1, "number_of_replicas": self._replicas},
            )
            self._client.indices.refresh(index=old)
            try:
                for _ in streaming_bulk(self._client, self._rows(old, new)):
                    pass
            except BulkIndexError as error:
                ((_, found),) = error.errors[0].items()
                said = found.get("error")  # beside it stands the row, which quotes people
                kind = said.get("type") if isinstance(said, dict) else found.get("status")
                raise StoreError(f"rows of {old} cannot be migrated: {kind}") from None
            except ScanError as error:
                raise StoreError(f"parts of {old} did not answer: run the migration again") from error

    def _rows(self, old: str, new: str) -> Iterator[dict[str, Any]]:
        for hit in scan(self._client, index=old, version=True):
            yield {
                "_op_type": "index",
                "_index": new,
                "_id": hit["_id"],
                "_source": hit["_source"],
                "version": hit["_version"],
                "version_type": "external_gte",
            }

    # --- taking over ----------------------------------------------------------------------------------------------

    def _swap(self) -> None:
        """All aliases at once: no reader ever sees both, or none."""
        mapping.make_unseen(self._client, self._new, month(self._clock.now()), self._replicas)
        aliases = {
            self._old.of_months[0]: self._names.mentions,
            self._old.of_months[1]: self._names.history,
            **{index_of(self._old, side): alias_of(self._old, side) for side in SIDES},
        }
        actions: list[dict[str, Any]] = []
        for pattern, alias in aliases.items():
            actions += [{"remove": {"index": index, "alias": alias}} for index in self._behind(alias, pattern)]
        aliases = {
            self._new.of_months[0]: self._names.mentions,
            self._new.of_months[1]: self._names.history,
            **{index_of(self._new, side): alias_of(self._new, side) for side in SIDES},
        }
        for pattern, alias in aliases.items():
            found = self._client.indices.get(
                index=pattern, ignore_unavailable=True, filter_path="*.settings.index.uuid"
            ).body
            actions += [{"add": {"index": index, "alias": alias}} for index in sorted(found)]
        self._client.indices.update_aliases(actions=actions)

    def _behind(self, alias: str, pattern: str) -> list[str]:
        """Which of these indices the alias stands for now."""
        answer = self._client.options(ignore_status=404).indices.get_alias(index=pattern, name=alias)
        return [] if "error" in answer else sorted(answer.body)

    def _clear_away(self) -> None:
        """Remove what older versions left; nothing reads it any more."""
        for version in range(MAPPING_VERSION):
            left = iter(self._of_version(version))
            while some := list(islice(left, 20)):
                self._client.indices.delete(index=some)
