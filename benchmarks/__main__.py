"""``python -m benchmarks``: all benchmarks at their default size, as tables."""

from benchmarks import crawl, elasticsearch, ingest, search

crawl.main([])
ingest.main([])
search.main([])
elasticsearch.main([])
