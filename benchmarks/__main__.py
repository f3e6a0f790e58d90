"""``python -m benchmarks``: both benchmarks at their default size, as a table."""

from benchmarks import ingest, search

ingest.main([])
search.main([])
