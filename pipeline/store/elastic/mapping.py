"""What the indices look like, and whether those on the cluster are of this release."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from elasticsearch import Elasticsearch

from pipeline.analysis import ANALYSIS_VERSION
from pipeline.store.elastic.names import MAPPING_VERSION, Names
from pipeline.store.protocol import StoreError
from pipeline.store.transfer import unfinished_copy

Json = dict[str, Any]

META_ID = "store"
_KEYWORD: Json = {"type": "keyword", "ignore_above": 8191}
_LONG: Json = {"type": "long"}
_DATE: Json = {"type": "date"}
_DOUBLE: Json = {"type": "double"}
_FLAG: Json = {"type": "boolean"}
_TOKENS: Json = {"type": "text", "analyzer": "tokens", "norms": False, "index_options": "positions"}
_KEPT: Json = {"type": "keyword", "index": False, "doc_values": False}
"""Only in the source."""


def _fields(kind: Json, *names: str) -> Json:
    return dict.fromkeys(names, kind)


_OPINION: Json = {
    **_fields(_KEYWORD, "brand", "voice", "via", "tone", "source", "channel", "author", "person", "story"),
    **_fields(_FLAG, "counted", "copied", "historic", "nameless"),
    **_fields(_LONG, "p_millionths", "fed", "event_us"),
    **_fields(_DATE, "fed_bin", "event_time"),
    "p_negative": _DOUBLE,
}
PROPERTIES: Json = {
    **_fields(_KEYWORD, "brand", "brand_tone", "counted_tone", "voice", "via", "tone", "source", "first_source"),
    **_fields(_KEYWORD, "platform", "channel", "kind", "lang", "domain", "author", "authors", "story", "story_own"),
    **_fields(_KEYWORD, "person", "is", "has", "precision", "permalink", "parent"),
    **_fields(_KEYWORD, "aspects", "severity", "purpose", "topic", "incident"),
    "uid": {"type": "keyword"},
    "thread_id": {**_KEYWORD, "fields": {"folded": {**_KEYWORD, "normalizer": "folded"}}},
    **_fields(_LONG, "revision", "known_us", "known_to_us", "first_known_us", "event_second", "event_us"),
    **_fields(_LONG, "published_us", "seen_us", "fed"),
    **_fields(_DATE, "known_from", "known_to", "event_time", "published", "seen", "fed_bin"),
    **_fields(_DOUBLE, "p_negative", "rating"),
    **_fields(_FLAG, "is_copy", "counted", "historic", "late"),
    "text": {"type": "text", "analyzer": "german"},
    "title": {"type": "text", "analyzer": "german"},
    "thread": {"type": "text", "analyzer": "german"},
    **_fields(_TOKENS, "exact", "stem", "thread_words"),
    "opinions": {"type": "nested", "dynamic": "strict", "properties": _OPINION},
    **_fields(_KEPT, "doc", "write"),
}
"""Fields of a mention; its replaced revisions have the same."""

ANALYSIS: Json = {
    "tokenizer": {"spaces": {"type": "whitespace", "max_token_length": 1_000_000}},
    "filter": {"bounded": {"type": "truncate", "length": 8000}},
    "analyzer": {"tokens": {"type": "custom", "tokenizer": "spaces", "filter": ["bounded"]}},
    "normalizer": {"folded": {"type": "custom", "filter": ["lowercase"]}},
}
"""Tokens are made by ``pipeline.analysis``; here they are only taken apart at spaces."""

MAPPINGS: Json = {
    "dynamic": "strict",
    "_meta": {"mapping_version": MAPPING_VERSION},
    "properties": PROPERTIES,
}
STORIES: Json = {
    "dynamic": "strict",
    "_meta": {"mapping_version": MAPPING_VERSION},
    "properties": {**_fields(_KEYWORD, "key", "what", "uid", "bands", "newer", "older"), "week": _LONG},
}
"""``what`` is ``bands`` (uid, week, bands) or ``alias`` (newer, older); ``key`` is the _id, to be sorted by."""
ERASED: Json = {
    "dynamic": "strict",
    "_meta": {"mapping_version": MAPPING_VERSION},
    "properties": {"reason": _KEYWORD, "at": _DATE},
}
META: Json = {
    "dynamic": "strict",
    "properties": {
        **_fields(_LONG, "mapping_version", "analysis_version", "joined_us"),
        **_fields(_KEYWORD, "made_of", "copy_from"),
    },
}


def prepare(client: Elasticsearch, names: Names, replicas: int, read_only: bool, month: str) -> int:
    """Make what is missing, check what is there; returns the version of the analysis that made the tokens.

    ``month`` gets an index where there is none yet, so that the aliases always stand for something. Raises
    StoreError where the indices are of another release, or missing and ``read_only``.
    """
    meta = _meta(client, names)
    if meta is None and read_only:
        raise StoreError(f"there is no mention store under the name {names.prefix} on this Elasticsearch yet")
    made_of = _fingerprint(replicas)
    if not read_only and (meta is None or meta.get("made_of") != made_of):
        if meta is not None:
            _check_version(names, meta)
        _make(client, names, replicas, month)
        meta = _note(client, names, made_of)
    assert meta is not None
    _check_version(names, meta)
    _check_indices(client, names)
    return int(meta["analysis_version"])


def ensure_month(client: Elasticsearch, names: Names, month: str) -> None:
    """Make the indices of a month where they are missing."""
    for index in (names.mentions_of(month), names.history_of(month)):
        _create(client, index)


def note_analysis(client: Elasticsearch, names: Names) -> None:
    """Write down that all tokens are of this release's analysis."""
    client.update(index=names.meta, id=META_ID, doc={"analysis_version": ANALYSIS_VERSION}, refresh=True)


def copy_from(client: Elasticsearch, names: Names) -> str | None:
    """The store whose copy has begun to come in and has not ended."""
    return (_meta(client, names) or {}).get("copy_from")


def note_copy(client: Elasticsearch, names: Names, source: str | None) -> None:
    """Write down that a copy of that store comes in, or that it has ended."""
    client.update(index=names.meta, id=META_ID, doc={"copy_from": source}, refresh=True, retry_on_conflict=5)


def silence(client: Elasticsearch, indices: list[str]) -> None:
    """Let what is written there be searchable only when a refresh is asked for: many small segments would be merged.

    An interval that somebody has chosen is left.
    """
    _set_interval(client, [index for index, interval in _intervals(client, indices).items() if interval is None], "-1")


def unsilence(client: Elasticsearch, indices: list[str]) -> None:
    """Let the server refresh by itself again where it was silenced."""
    _set_interval(client, [index for index, interval in _intervals(client, indices).items() if interval == "-1"], None)


def _intervals(client: Elasticsearch, indices: list[str]) -> dict[str, str | None]:
    """The interval of each index that is there; None where the server's own holds."""
    wanted = ["*.settings.index.uuid", "*.settings.index.refresh_interval"]
    answer = client.indices.get_settings(index=indices, filter_path=wanted).body
    return {index: found["settings"]["index"].get("refresh_interval") for index, found in answer.items()}


def _set_interval(client: Elasticsearch, indices: list[str], interval: str | None) -> None:
    for start in range(0, len(indices), 20):  # an address has its limit
        client.indices.put_settings(index=indices[start : start + 20], settings={"refresh_interval": interval})


def check_writable(client: Elasticsearch, names: Names) -> None:
    """Whether this release may write now; asked before each write, since others copy, migrate and index anew.

    Raises StoreError with what to do.
    """
    meta = _meta(client, names)
    if meta is None:
        raise StoreError(f"the index {names.meta} is missing: restore the last snapshot, or begin under another prefix")
    _check_version(names, meta)
    if meta.get("copy_from"):
        raise StoreError(unfinished_copy(f"{names.prefix} on Elasticsearch", meta["copy_from"]))
    if meta["analysis_version"] != ANALYSIS_VERSION:
        raise StoreError(
            f"{names.mentions} was indexed by analysis {meta['analysis_version']}, this release uses"
            f" {ANALYSIS_VERSION}: run `sturmwarte store reindex`"
        )


def _meta(client: Elasticsearch, names: Names) -> Json | None:
    answer = client.options(ignore_status=404).get(index=names.meta, id=META_ID)
    return dict(answer["_source"]) if answer.get("found") else None


def _check_version(names: Names, meta: Json) -> None:
    found = meta.get("mapping_version")
    if found != MAPPING_VERSION:
        raise StoreError(
            f"the indices {names.prefix}-* have mapping version {found}, this release needs {MAPPING_VERSION}:"
            + (" use the newer release again" if (found or 0) > MAPPING_VERSION else " run `sturmwarte store migrate`")
        )


def _check_indices(client: Elasticsearch, names: Names) -> None:
    for alias in (names.mentions, names.history):
        answer = client.options(ignore_status=404).indices.get_mapping(
            index=alias, filter_path="*.mappings._meta,*.mappings.dynamic,error.type,status"
        )
        if "error" in answer:
            raise StoreError(f"the alias {alias} is missing: restore the last snapshot, or begin under another prefix")
        for index, found in answer.items():
            version = found["mappings"].get("_meta", {}).get("mapping_version")
            if version != MAPPING_VERSION or found["mappings"].get("dynamic") != "strict":
                raise StoreError(
                    f"the index {index} has mapping version {version or 'none'}, this release needs {MAPPING_VERSION}:"
                    " it was not made by Sturmwarte, or another template changed it; remove it or use another prefix"
                )


def make_unseen(client: Elasticsearch, names: Names, month: str, replicas: int) -> None:
    """Make the indices of a month without putting them behind the aliases: nobody reads them yet."""
    body = _template("", replicas)
    for index in (names.mentions_of(month), names.history_of(month)):
        _create(client, index, settings=body["settings"], mappings=body["mappings"])


def make_beside(client: Elasticsearch, names: Names, replicas: int) -> None:
    """Make the indices of stories and of the erased."""
    for index, mappings in ((names.stories, STORIES), (names.erased, ERASED)):
        _create(client, index, mappings=mappings, settings=_settings(replicas))


def version_there(client: Elasticsearch, names: Names) -> int | None:
    """The version of the mapping that the store is of; None where there is no store."""
    meta = _meta(client, names)
    return None if meta is None else int(meta["mapping_version"])


def note_version(client: Elasticsearch, names: Names, replicas: int, month: str) -> None:
    """From now on the store is of this release: its templates are in force, everything is of its analysis."""
    _make(client, names, replicas, month)
    now = {"mapping_version": MAPPING_VERSION, "analysis_version": ANALYSIS_VERSION, "made_of": _fingerprint(replicas)}
    client.update(index=names.meta, id=META_ID, doc=now, refresh=True, retry_on_conflict=5)


def _settings(replicas: int) -> Json:
    return {"number_of_shards": 1, "number_of_replicas": replicas}


def _template(alias: str, replicas: int) -> Json:
    settings = {**_settings(replicas), "analysis": ANALYSIS, "query": {"default_field": ["text", "title"]}}
    return {"settings": settings, "mappings": MAPPINGS, "aliases": {alias: {}}}


def _fingerprint(replicas: int) -> str:
    everything = msgspec.json.encode([_template("", replicas), STORIES, ERASED, META], order="sorted")
    return hashlib.blake2b(everything, digest_size=16).hexdigest()


def _make(client: Elasticsearch, names: Names, replicas: int, month: str) -> None:
    for alias, pattern in zip((names.mentions, names.history), names.of_months, strict=True):
        client.indices.put_index_template(
            name=alias, index_patterns=[pattern], priority=500, template=_template(alias, replicas)
        )
    make_beside(client, names, replicas)
    _create(client, names.meta, mappings=META, settings=_settings(replicas))
    client.indices.put_mapping(index=names.meta, properties=META["properties"])
    ensure_month(client, names, month)
    ours = [*names.of_months, names.stories, names.erased, names.meta]
    client.indices.put_settings(index=ours, settings={"number_of_replicas": replicas}, allow_no_indices=True)


def _create(client: Elasticsearch, index: str, **body: Any) -> None:
    """Make an index unless another process was faster."""
    answer = client.options(ignore_status=400).indices.create(index=index, **body)
    kind = answer.get("error", {}).get("type") if "error" in answer else None
    if kind not in (None, "resource_already_exists_exception"):
        raise StoreError(f"the index {index} cannot be made: {answer['error'].get('reason')}")


def _note(client: Elasticsearch, names: Names, made_of: str) -> Json:
    """Write down what the store is made of; the analysis of a store that is there stays what it was."""
    first = {"mapping_version": MAPPING_VERSION, "analysis_version": ANALYSIS_VERSION, "made_of": made_of}
    client.update(index=names.meta, id=META_ID, doc={"made_of": made_of}, upsert=first, retry_on_conflict=5)
    meta = _meta(client, names)
    assert meta is not None
    return meta
