"""Labelled sentences of our own, and what they say about the pipeline."""
