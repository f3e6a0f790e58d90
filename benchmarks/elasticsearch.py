"""Everything on Elasticsearch, beside what users write instead, on one server and the same texts.

Parts: ``ingest`` (items per second through all steps), ``search`` (questions on many mentions), ``brands`` (a tick of
the watcher beside ElastAlert 2) and ``crawl`` (workers at loopback sites). A node is started and removed, unless
``ES_URL`` names one; there only indices of our own are made and removed.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence

from benchmarks import elastic_brands, elastic_crawl, elastic_ingest, elastic_search
from benchmarks.elastic_server import SUPPORT, LeftOut, Server, elasticsearch_server

PARTS = ("ingest", "search", "brands", "crawl")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the chosen parts; 1 where nothing could be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.elasticsearch", description=__doc__)
    parser.add_argument("--items", type=int, default=20_000, help="of the part ingest")
    parser.add_argument("--mentions", type=int, default=1_000_000, help="of the part search")
    parser.add_argument("--rounds", type=int, default=200, help="questions of each kind")
    parser.add_argument("--brands", type=int, default=10_000)
    parser.add_argument("--workers", type=int, nargs="+", default=elastic_crawl.WORKERS, help="of the part crawl")
    parser.add_argument("--part", choices=PARTS, nargs="+", default=PARTS, help="only these")
    chosen = parser.parse_args(arguments)
    parts: dict[str, Callable[[Server], None]] = {
        "ingest": lambda server: elastic_ingest.measure(server, chosen.items),
        "search": lambda server: elastic_search.measure(server, chosen.mentions, chosen.rounds),
        "brands": lambda server: elastic_brands.measure(server, chosen.brands),
        "crawl": lambda server: elastic_crawl.measure(server, chosen.workers),
    }
    sys.path.append(str(SUPPORT))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with elasticsearch_server() as server:
            for name in chosen.part:
                try:
                    parts[name](server)
                except LeftOut as reason:
                    print(f"\n{name}: left out: {reason}")
    except LeftOut as reason:
        print(f"Elasticsearch: left out: {reason}")
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
