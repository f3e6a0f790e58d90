"""The interface for programs: one file per noun, errors as JSON with message, field and position."""
