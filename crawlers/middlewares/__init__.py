"""Downloader middlewares: politeness and safety on every hop."""
