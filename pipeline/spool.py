"""The spool: where mentions wait, fsynced, while the store cannot be written; drained in order through ``merge``."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from pipeline.identity import uid_of
from pipeline.mention import Mention

_SEGMENT_BYTES = 8_000_000


class Watermark(msgspec.Struct, frozen=True, kw_only=True, tag="watermark"):
    """Set when all before it is stored: the last record of a crawl that went to the spool."""

    source: str
    at: datetime


class Waiting(msgspec.Struct, frozen=True, kw_only=True, tag="mention"):
    """A mention that waits."""

    mention: Mention


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """Something that could not be processed, and why. Holds no author in clear."""

    at: datetime
    reason: str
    record: msgspec.Raw


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """A whole line that this release cannot read, such as one an older release wrote."""

    line: bytes
    reason: str


class _Known(msgspec.Struct):
    """An item knows its native id, a mention its uid."""

    origin: str
    native_id: str = ""
    uid: str = ""


class _Entry(msgspec.Struct):
    record: _Known


Record = Waiting | Watermark
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)


def _nothing() -> None: ...


class Spool:
    """Append-only segments in a folder; several processes may append and drain."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._quarantine = folder / "quarantine.ndjson"
        self._holding = threading.local()

    @property
    def name(self) -> str:
        """Of this folder, made at the first call and kept in it."""
        file = self.folder / "name"
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            made = self.folder / f"name.{secrets.token_hex(8)}"
            made.write_text(secrets.token_hex(8), "ascii")
            with suppress(FileExistsError):  # another process was faster
                os.link(made, file)
            made.unlink()
        return file.read_text("ascii")

    def append(self, records: Sequence[Record], before: Callable[[], None] = _nothing) -> None:
        """Write records durably; returns after fsync. Raises OSError (disk full) with nothing acknowledged.

        ``before`` is called first, while nobody drains; what it raises ends the call.
        """
        if not records:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = b"".join(_encoder.encode(record) + b"\n" for record in records)
        with self._locked():
            before()
            _append_durably(self._segment(), lines)

    def drain(
        self,
        write: Callable[[list[Mention]], None],
        mark: Callable[[str, datetime], None],
        empty: Callable[[], None] = _nothing,
    ) -> int:
        """Hand everything over in order: ``write`` gets up to 500 mentions, ``mark`` a source's newest watermark once
        all before it is written, and ``empty`` is called while nobody appends. What ``write`` raises ends the drain:
        nothing is lost, some may come again. Returns the number of mentions handed over.
        """
        drained = 0
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._locked():
            for segment in self.segments():
                drained += self._drain_segment(segment, write, mark)
                segment.unlink()
            empty()
        return drained

    def quarantine(self, entries: Sequence[Quarantined]) -> None:
        """Keep what could not be processed, durably, for a person to look at."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._locked():
            _append_durably(self._quarantine, b"".join(_encoder.encode(entry) + b"\n" for entry in entries))

    def forget(self, gone: Callable[[Mention], bool]) -> int:
        """Remove mentions that were erased; returns how many."""
        removed = 0
        with self._locked():
            for segment in self.segments():
                records = list(_records(segment))
                kept = [r for r in records if not (isinstance(r, Waiting) and gone(r.mention))]
                if len(kept) < len(records):
                    removed += len(records) - len(kept)
                    replacement = segment.with_suffix(".new")
                    replacement.unlink(missing_ok=True)  # left by a death
                    _append_durably(replacement, b"".join(_line(record) for record in kept))
                    replacement.replace(segment)
        return removed

    def forget_quarantined(self, uids: Collection[str]) -> int:
        """Remove erased items from the quarantine; returns how many."""
        return self._leave_out(lambda line: _uid_of_entry(line) in uids)

    def release(self, gone: Collection[bytes]) -> int:
        """Remove these lines from the quarantine; returns how many were there."""
        return self._leave_out(lambda line: line in gone) if gone else 0

    def _leave_out(self, gone: Callable[[bytes], bool]) -> int:
        if not self._quarantine.exists():
            return 0
        with self._locked():
            lines = self.quarantine_lines()
            kept = [line for line in lines if not gone(line)]
            if len(kept) < len(lines):
                replacement = self._quarantine.with_suffix(".new")
                replacement.unlink(missing_ok=True)  # left by a death
                _append_durably(replacement, b"".join(kept))
                replacement.replace(self._quarantine)
        return len(lines) - len(kept)

    def quarantined(self) -> set[str]:
        """uids of the items in quarantine."""
        return {uid for line in self.quarantine_lines() if (uid := _uid_of_entry(line))}

    def waiting(self) -> Iterator[Mention]:
        """The mentions that wait, oldest first."""
        for segment in self.segments():
            yield from (record.mention for record in _records(segment) if isinstance(record, Waiting))

    def copy_to(self, target: Path) -> None:
        """Copy everything that waits, as it stands between two appends or drains."""
        if self.folder.exists():
            with self._locked():
                shutil.copytree(self.folder, target, ignore=shutil.ignore_patterns("lock"))

    def segments(self) -> list[Path]:
        """Files that wait, oldest first."""
        return sorted(self.folder.glob("spool-*.ndjson"))

    def sizes(self) -> tuple[int, int]:
        """(mentions that wait, entries in quarantine)."""
        waiting = sum(1 for _ in self.waiting())
        if not self._quarantine.exists():
            return waiting, 0
        with self._quarantine.open("rb") as file:
            return waiting, sum(1 for _ in file)

    def quarantine_lines(self) -> list[bytes]:
        """The whole lines of the quarantine, oldest first."""
        if not self._quarantine.exists():
            return []
        with self._quarantine.open("rb") as file:
            return [line for line in file if line.endswith(b"\n")]

    def _segment(self) -> Path:
        segments = self.segments()
        if segments and segments[-1].stat().st_size < _SEGMENT_BYTES:
            return segments[-1]
        number = int(segments[-1].stem.removeprefix("spool-")) + 1 if segments else 1
        return self.folder / f"spool-{number:08d}.ndjson"

    def _drain_segment(
        self, segment: Path, write: Callable[[list[Mention]], None], mark: Callable[[str, datetime], None]
    ) -> int:
        drained, batch, marks, unread = 0, list[Mention](), dict[str, datetime](), list[Unread]()

        def flush() -> None:
            nonlocal drained
            if batch:
                write(batch)
                drained += len(batch)
                batch.clear()
            for source, at in marks.items():
                mark(source, at)
            marks.clear()

        for record in _records(segment):
            if isinstance(record, Waiting):
                batch.append(record.mention)
                if len(batch) == 500:
                    flush()
            elif isinstance(record, Watermark):  # many short visits must not become as many small writes
                marks[record.source] = record.at
            else:
                unread.append(record)
        flush()
        self._put_aside(segment, unread)
        return drained

    def _put_aside(self, segment: Path, unread: Sequence[Unread]) -> None:
        """One unreadable line must not hold up all that waits behind it."""
        at = datetime.fromtimestamp(segment.stat().st_mtime, UTC)
        entries = [
            Quarantined(
                at=at, reason=entry.reason, record=msgspec.Raw(_encoder.encode(entry.line.decode("utf-8", "replace")))
            )
            for entry in unread
        ]
        if entries:
            _append_durably(self._quarantine, b"".join(_encoder.encode(entry) + b"\n" for entry in entries))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone with the folder. What a drain hands over to may quarantine: its own thread need not wait for itself."""
        if getattr(self._holding, "lock", False):
            yield
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._holding.lock = True
            try:
                yield
            finally:
                self._holding.lock = False


def _append_durably(path: Path, lines: bytes) -> None:
    """Append and fsync; a torn end left by a death is cut off first, since it was never acknowledged."""
    fresh = not path.exists()
    with path.open("ab+") as file:
        start = _end_of_last_line(file)
        file.truncate(start)
        try:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            os.ftruncate(file.fileno(), start)
            raise
    if fresh:
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _end_of_last_line(file: BinaryIO) -> int:
    size = file.seek(0, os.SEEK_END)
    position = size
    while position > 0:
        step = min(65_536, position)
        file.seek(position - step)
        found = file.read(step).rfind(b"\n")
        if found >= 0:
            return position - step + found + 1
        position -= step
    return 0


def _records(segment: Path) -> Iterator[Record | Unread]:
    with segment.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                try:
                    yield _decoder.decode(line)
                except msgspec.MsgspecError as error:
                    yield Unread(line=line, reason=f"unreadable line in {segment.name}: {error}")


def _line(record: Record | Unread) -> bytes:
    return record.line if isinstance(record, Unread) else _encoder.encode(record) + b"\n"


def _uid_of_entry(line: bytes) -> str | None:
    """Of which mention an entry of the quarantine is; None where it is of none."""
    try:
        known = msgspec.json.decode(line, type=_Entry).record
    except msgspec.DecodeError:
        return None
    return known.uid or (uid_of(known.origin, known.native_id) if known.native_id else None)
