"""Everything in a store as one compressed file of lines: the backup of an engine that has no file of its own."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Literal

import msgspec

from pipeline.store.protocol import StoreError
from pipeline.store.transfer import Record, Transfer

BATCH = 500
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    """The first line."""

    format: Literal["sturmwarte mentions 1"]


class _End(msgspec.Struct, frozen=True, kw_only=True):
    """The last line: a file without it was cut off."""

    records: int


def export(transfer: Transfer, target: Path) -> int:
    """Write all records of a store to a file that gets its name when it is complete; returns how many there are."""
    partial = target.with_name(target.name + ".partial")
    records = 0
    with partial.open("wb") as disk:
        with gzip.open(disk, "wb", compresslevel=5) as file:
            file.write(_encode(_Head(format="sturmwarte mentions 1")) + b"\n")
            for part in transfer.parts():
                for record in transfer.dump(part):
                    file.write(_encode(record) + b"\n")
                    records += 1
            file.write(_encode(_End(records=records)) + b"\n")
        disk.flush()
        os.fsync(disk.fileno())  # before the name: else a power cut may leave the name to a file without its end
    partial.replace(target)
    return records


def load(transfer: Transfer, source: Path) -> int:
    """Put the records of such a file into an empty store; returns how many there are. May be repeated after a death.

    Raises StoreError where the file is none or is cut off, or where other mentions are there.
    """
    name = f"the export {source.name}"
    _check(source)
    if transfer.unfinished() not in (None, name) or (transfer.unfinished() is None and not transfer.empty()):
        raise StoreError(f"{transfer.name} holds mentions already: load {source} into an empty store")
    transfer.begin(name)
    loaded = 0
    with gzip.open(source, "rb") as file:
        records = _records(file)
        while batch := list(islice(records, BATCH)):
            transfer.load(batch)
            loaded += len(batch)
    transfer.finish()
    return loaded


def _check(source: Path) -> None:
    """Read it to its end before anything is loaded."""
    counted, last = -1, b""
    try:
        with gzip.open(source, "rb") as file:
            for line in file:
                if counted < 0:
                    msgspec.json.decode(line, type=_Head)
                counted, last = counted + 1, line
        end = msgspec.json.decode(last, type=_End)
    except (OSError, EOFError, msgspec.MsgspecError) as error:
        raise StoreError(f"{source} is no whole export of mentions") from error
    if end.records != counted - 1:
        raise StoreError(f"{source} is no whole export of mentions: {counted - 1} records of {end.records}")


def _records(file: gzip.GzipFile) -> Iterator[Record]:
    """Without the first and the last line."""
    file.readline()
    waiting = file.readline()
    for line in file:
        yield _decode(waiting)
        waiting = line
