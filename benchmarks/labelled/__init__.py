"""Sentences labelled by us, and how well the pipeline does on them."""
