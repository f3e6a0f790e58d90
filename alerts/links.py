"""Addresses of pages that messages lead to. Opening one changes nothing: the page asks first and then posts."""

from __future__ import annotations

from urllib.parse import quote, urlencode, urlsplit

from pipeline.configuration import Configuration


class Links:
    """Addresses under the ``public_url`` of a configuration."""

    def __init__(self, configuration: Configuration) -> None:
        self._root = configuration.public_url.rstrip("/")

    def home(self) -> str:
        return f"{self._root}/"

    def incident(self, name: str, action: str = "") -> str:
        """The page of ``R-0127``; with an action, the page that asks whether it is to be done."""
        return f"{self._root}/incidents/{quote(name)}" + (f"?action={quote(action)}" if action else "")

    def mention(self, uid: str) -> str:
        return f"{self._root}/mentions/{quote(uid)}"

    def search(self, query: str) -> str:
        return f"{self._root}/mentions?{urlencode({'q': query})}"

    def source(self, source: str) -> str:
        return f"{self._root}/sources/{quote(source)}"


def mail_host(public_url: str) -> str:
    """The host name that ids and addresses in mails carry, in ASCII; empty where the pages have none but a number."""
    host = urlsplit(public_url).hostname or ""
    try:
        host = host.encode("idna").decode("ascii")
    except UnicodeError:
        return ""
    return host if "." in host and not host.replace(".", "").isdigit() else ""
