"""Pages: one file per page, templates, one style sheet."""
