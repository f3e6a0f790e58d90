"""Kibana beside our pages: data views to import, and links that open a search of ours there."""
