"""Where mentions live: one protocol, one contract, several engines."""
