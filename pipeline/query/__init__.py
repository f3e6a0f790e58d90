"""The search language: Lucene syntax, our fields, one parsed tree that every store compiles."""
