"""``sturmwarte parse``: what a spider takes from a saved page or answer of an interface."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from pipeline.toml_checks import is_address, is_zone
from sturmwarte.commands.shared import WRONG, JsonOption, Refused, guarded, leave, moment, one_of, print_json
from sturmwarte.service import clock_from


@guarded
def parse(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="option.parse_file")],
    url: Annotated[str, typer.Option("--url", metavar="URL", help="option.parse_url")],
    spider: Annotated[str, typer.Option("--spider", metavar="NAME", help="option.parse_spider")] = "auto",
    now: Annotated[str | None, typer.Option("--now", metavar="TIME", help="option.parse_now")] = None,
    zone: Annotated[str, typer.Option("--zone", help="option.zone")] = "Europe/Berlin",
    as_json: JsonOption = True,
) -> None:
    """help.parse"""
    from crawlers.parse import parse_document, readers
    from crawlers.parsing import PageFile

    one_of(spider, ["auto", *readers()], "unknown_spider")
    if not is_address(url):
        raise Refused("bad_address", text=url)
    if not is_zone(zone):
        raise Refused("unknown_zone", text=zone)
    body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    at = moment(now, "--now") or clock_from().now()
    document = parse_document(spider, PageFile(url=url, body=body, now=at, zone=ZoneInfo(zone)))
    print_json(document)
    if document["state"] == "error":
        leave(WRONG)
