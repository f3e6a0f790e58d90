"""The configuration of the demonstration: written out like a user's own, so that it can be read and copied."""

from __future__ import annotations

from pathlib import Path

TEMPLATE = """\
# The demonstration. Everything here lies on 127.0.0.1; delays are short because its time runs fast.
contact = "demo@sturmwarte.example"
public_url = "http://127.0.0.1:{port}"
data = "data"
zone = "{zone}"

[brands.nordnetz]
name = "Nordnetz"
aliases = ["Nordnetz-Hotline"]
accounts = ["Nordnetz"]

[brands.kuestenbahn]
name = "Küstenbahn"

[sources.netzforum]
spider = "phpbb"
name = "Netzforum Nord"
url = "{forum}/viewforum.php?f=2"
interval = "4m"
backfill = "21d"

[sources.bahnforum]
spider = "phpbb"
name = "Netzforum Nord, Bahn"
url = "{forum}/viewforum.php?f=3"
interval = "10m"
backfill = "21d"

[sources.anbieterspiegel]
spider = "reviews"
name = "Anbieterspiegel"
url = "{portal}/nordnetz"
about = "nordnetz"
interval = "5m"
backfill = "21d"

[sources.kuestenblatt]
spider = "feed"
name = "Küstenblatt"
url = "{newspaper}/feed"
channel = "news"
interval = "6m"
backfill = "21d"

[sources.kuestenblatt-kommentare]
spider = "feed"
name = "Küstenblatt, Kommentare"
url = "{newspaper}/comments/feed"
channel = "news"
interval = "5m"
backfill = "21d"

[sources.suche]
spider = "searxng"
name = "Suche"
url = "{search}/search"
queries = ["Nordnetz"]
interval = "30m"

[rules.anstieg]
rule = "surge"

[receivers.presse]
address = "presse@nordnetz.example"
name = "Pressestelle"
language = "de"
min_level = 2

[mail]
server = "127.0.0.1"
port = {smtp}
security = "none"
sender = "sturmwarte@nordnetz.example"

[web]
port = {port}

[crawl]
delay = 0.5
allow_private = ["127.0.0.1"]
max_pages = 200

[demo]
mailbox = "mailbox"
"""

FILES = """
[state]
url_env = ""
"""
"""Tables of databases that are files, whatever the environment says of the operator's own."""


def write(folder: Path, databases: str = FILES, **values: object) -> Path:
    """Write ``sturmwarte.toml`` into a folder; returns its path. Values: addresses of the sites and ports."""
    path = folder / "sturmwarte.toml"
    path.write_text(TEMPLATE.format(**values) + databases, "utf-8")
    return path


def beside(path: Path, number: int, port: int) -> Path:
    """The same configuration for a further web process, which needs a port of its own; returns its path."""
    head, table, rest = path.read_text("utf-8").partition("\n[web]\nport = ")
    other = path.with_name(f"{path.stem}-{number}.toml")
    other.write_text(f"{head}{table}{port}{rest[rest.index(chr(10)) :]}", "utf-8")
    return other
