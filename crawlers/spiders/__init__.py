"""One file per kind of source; found by walking this folder."""
