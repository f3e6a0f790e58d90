"""The embedded mention store: one SQLite file with a text index, an opinion table, rollups and history."""
