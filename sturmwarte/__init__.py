"""Composition root: command line, service loop, doctor, demonstration. The only package that may import all others."""
