"""Everything readable: built-in pages, REST interface, metrics."""
