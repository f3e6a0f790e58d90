"""item → mention → store: matching, language, tone, stories, the search language, both databases, configuration."""
