"""``python -m benchmarks``: all benchmarks at their default size, as tables."""

from benchmarks import elasticsearch, ingest, search

ingest.main([])
search.main([])
elasticsearch.main([])
