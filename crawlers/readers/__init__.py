"""Readers of saved pages that nobody crawls, one file each with ``parse(page)`` and ``recognises(look)``."""
