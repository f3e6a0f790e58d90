"""The demonstration: a small web on loopback, a mail catcher, and the real service that watches and warns."""
