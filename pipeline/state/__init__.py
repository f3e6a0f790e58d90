"""The state database: sources, cursors, pacing, incidents, outbox, audit. SQLite by default, PostgreSQL at scale."""
