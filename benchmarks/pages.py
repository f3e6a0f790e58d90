"""What ``sturmwarte parse --spider auto`` makes of saved pages whose truth is known.

``python -m benchmarks.pages FOLDER``: the folder holds the pages, an ``INDEX.md`` whose tables say for each file what a
correct extraction gives, and ``live/content.json`` with the posts that the programs under ``live`` served. None of it
is part of the project: of the truth only numbers reach the table, which ``--write FILE`` puts into the guide.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from crawlers.parse import parse_document
from crawlers.parsing import PageFile
from crawlers.select import first, tree_of

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)
READ = {".html", ".json", ".xml", ".rss"}
_COUNT = re.compile(
    r"(?<![\w.])(\d+)(?: li\.b_algo)?\s*(?:genuine )?"
    r"(posts?|reviews|organic|results|latest_posts|topics|threads|comments|tweets|statuses|items)?\b"
)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)")
_QUOTED = re.compile(r'"([^"…]{3,})')


@dataclass(frozen=True)
class Expected:
    """What the index says of one file, as far as a program can read it."""

    file: str
    said: str
    count: int | None
    author: str | None
    time: str | None
    begins: str | None


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    file: str
    reader: str
    state: str
    found: str
    author: str
    time: str
    text: str

    @property
    def right(self) -> bool:
        """Whether nothing differs from what is expected."""
        return "✗" not in f"{self.found}{self.author}{self.time}{self.text}"


def expected(index: str) -> Iterator[Expected]:
    """The rows of the index that name one file."""
    for line in index.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) < 4 or cells[0] in ("kind", "---") or cells[1].startswith("live/"):
            continue
        for number, file in enumerate(files_of(cells[0], cells[1])):
            yield understood(file, cells[-1].rstrip(" |") if number == 0 else "")


def files_of(kind: str, cell: str) -> list[str]:
    """Paths of a cell such as ``a.html, _b.html``."""
    names = [name.strip() for name in cell.split(",")]
    stem = names[0].rpartition("_next_data")[0] or names[0]
    return [f"{kind}/{stem + name if name.startswith('_') else name}" for name in names]


def understood(file: str, said: str) -> Expected:
    """Count, first author, first time and first words of a description."""
    parts = [part.strip() for part in said.split("¦")]
    counted = _COUNT.match(parts[0]) or _COUNT.search(parts[0])
    time = next((found for part in parts if (found := _TIME.search(part))), None)
    quoted = next((found for part in parts if (found := _QUOTED.match(part))), None)
    return Expected(
        file,
        said,
        int(counted[1]) if counted and counted[2] else None,
        parts[1] if len(parts) > 2 and not _TIME.match(parts[1]) and not parts[1].startswith('"') else None,
        f"{time[1]} {time[2]}" if time else None,
        quoted[1].strip() if quoted else None,
    )


def read(folder: Path, file: str) -> Mapping[str, Any]:
    """The document that ``sturmwarte parse`` prints for a saved page."""
    body = (folder / file).read_bytes()
    page = PageFile(url="https://forum.example.org/", body=body, now=NOW, zone=ZONE)
    if file.endswith(".html"):
        own = first(tree_of(page), "link[rel=canonical][href^=http], meta[property='og:url'][content^=http]")
        address = (own.get("href") or own.get("content")) if own is not None else None
        page = PageFile(url=address or page.url, body=body, now=NOW, zone=ZONE)
    return parse_document("auto", page)


def compared(folder: Path, want: Expected) -> Row:
    """One file against what its description says."""
    told = read(folder, want.file)
    items = list(told["items"])
    said = [item for item in items if item["kind"] != "reply"]
    counts = {len(items), len(said), len(told["links"]["threads"]), len(told.get("results", ()))}
    head: Mapping[str, Any] = items[0] if items else {}
    return Row(
        want.file,
        str(told["spider"]),
        str(told["state"]),
        _mark(want.count, want.count in counts, max(counts)),
        _mark(want.author, want.author == head.get("author"), ""),
        _mark(want.time, want.time in _times(head), ""),
        _mark(want.begins, _same(want.begins, f"{head.get('text')}", f"{head.get('title')}"), ""),
    )


def live(folder: Path) -> Iterator[Row]:
    """The pages that programs served, against the posts they were given."""
    content = json.loads((folder / "live" / "content.json").read_text("utf-8"))
    posts = [post for topic in content["topics"] for post in topic["posts"]]
    texts: dict[str, list[Mapping[str, Any]]] = {}
    for post in posts:  # the same text is said more than once
        texts.setdefault(_letters(post["text"])[:60], []).append(post)
    for path in sorted((folder / "live").rglob("*")):
        if path.suffix not in READ or "robots" in path.name:
            continue
        told = read(folder, str(path.relative_to(folder)))
        items = list(told["items"])
        met = [(item, same) for item in items if (same := texts.get(_letters(item["text"])[:60]))]
        threads = len(told["links"]["threads"])
        authors = sum(any(item["author"] == post["author"] for post in same) for item, same in met)
        times = sum(any(_minute(post["iso"]) in _times(item) for post in same) for item, same in met)
        yield Row(
            str(path.relative_to(folder)),
            str(told["spider"]),
            str(told["state"]),
            f"{len(items)} items, {threads} threads",
            f"{authors} of {len(met)}" if met else "",
            f"{times} of {len(met)}" if met else "",
            f"{len(met)} of {len(items)}" if items else "",
        )


def _times(item: Mapping[str, Any]) -> set[str]:
    """The minute of an item, in its own zone, in UTC and in ours."""
    if not item.get("published"):
        return set()
    at = datetime.fromisoformat(item["published"])
    return {moment.strftime("%Y-%m-%d %H:%M") for moment in (at, at.astimezone(UTC), at.astimezone(ZONE))}


def _minute(iso: str) -> str:
    return datetime.fromisoformat(iso).astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def _letters(text: str) -> str:
    return "".join(sign for sign in text.casefold() if sign.isalnum())


def _same(begins: str | None, *texts: str) -> bool:
    return begins is not None and any(_letters(text).startswith(_letters(begins)) for text in texts)


def _mark(wanted: object, right: bool, found: object) -> str:
    if wanted is None:
        return str(found)
    return f"{found} ✓".strip() if right else f"{found} ✗ (expected)".strip()


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    head = "| page | reader | state | found | author | time | text |\n|---|---|---|---|---|---|---|\n"
    lines = (f"| {r.file} | {r.reader} | {r.state} | {r.found} | {r.author} | {r.time} | {r.text} |" for r in rows)
    return head + "\n".join(lines) + "\n"


def main() -> None:
    """Print the table, or write it between the marks of a file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", type=Path)
    asked = parser.parse_args()
    index = (asked.folder / "INDEX.md").read_text("utf-8")
    wanted = [want for want in expected(index) if (asked.folder / want.file).is_file()]
    single = [compared(asked.folder, want) for want in wanted]
    text = f"{table(single)}\n### Served by real programs\n\n{table(list(live(asked.folder)))}"
    if asked.write is None:
        print(text)
    else:
        page = asked.write.read_text("utf-8")
        before, _, rest = page.partition("<!-- measured -->")
        _, _, after = rest.partition("<!-- end -->")
        asked.write.write_text(f"{before}<!-- measured -->\n\n{text}\n<!-- end -->{after}", "utf-8")
    wrong = [row.file for row in single if not row.right]
    print(f"{len(single)} files with a description, {len(wrong)} differ: {', '.join(wrong) or '–'}")


if __name__ == "__main__":
    main()
