"""Labels: how fierce a text is, what about a service it speaks of, what it is written for; each with its words."""
