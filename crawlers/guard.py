"""Which addresses may be asked: the public web, and inside the own network only what the configuration names."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from crawlers.fetches import NotRead
from crawlers.urls import is_web
from pipeline.state.blocking import covering
from pipeline.words import Answer

Address = IPv4Address | IPv6Address
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*", re.IGNORECASE)
_NAT64 = IPv6Network("64:ff9b::/96")


class Refused(NotRead):
    """An address we do not ask; the message says which and why."""

    def __init__(self, rule: str, reason: str, answer: Answer = Answer.ERROR) -> None:
        super().__init__(answer, reason)
        self.rule = rule


class Guard:
    """Decides about URLs and about the addresses their hosts resolve to. ``allow``: hosts, addresses, networks.

    ``blocked`` tells the domains that nobody reads, with the reason, as they stand now.
    """

    def __init__(self, allow: Sequence[str] = (), blocked: Callable[[], Mapping[str, str]] = dict) -> None:
        self._blocked = blocked
        self._networks: list[IPv4Network | IPv6Network] = []
        self._hosts: set[str] = set()
        for entry in allow:
            try:
                self._networks.append(ip_network(entry, strict=False))
            except ValueError:
                self._hosts.add(entry.lower().rstrip("."))

    def check_url(self, url: str) -> None:
        """Raise Refused where the scheme is not the web's or the host is a private address written out."""
        if not is_web(url):
            raise Refused(
                _scheme(url), f"only http and https addresses without credentials are read, not {url[:200]!r}"
            )
        host = urlsplit(url).hostname or ""
        domains = self._blocked()
        if (domain := covering(domains, host)) is not None:
            raise Refused("blocked_domain", f"{domain} is blocked: {domains[domain]}", Answer.GATED)
        address = _literal(host)
        if address is not None:
            self.check_address(host, address)
        elif _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
            raise Refused("odd_host", f"{host} is no canonical address and no public name")

    def check_address(self, host: str, address: Address) -> None:
        """Raise Refused where a host stands for an address that is not public, unless allowed."""
        plain = _unwrapped(address)
        if plain.is_global and not plain.is_multicast:
            return
        if host.lower().rstrip(".") in self._hosts or any(plain in network for network in self._networks):
            return
        raise Refused(
            "private_address", f"{host} is {plain}, which is not a public address; [crawl] allow_private may name it"
        )


class GuardedResolver(AbstractResolver):
    """Resolves names for the connection itself, so that no other address can be connected to than was checked."""

    def __init__(self, guard: Guard, resolver: AbstractResolver | None = None) -> None:
        self._guard, self._resolver = guard, resolver or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Every address a name stands for must be allowed. Raises Refused, and OSError where there is none."""
        found = await self._resolver.resolve(host, port, family)
        for result in found:
            self._guard.check_address(host, ip_address(result["host"].partition("%")[0]))
        return found

    async def close(self) -> None:
        await self._resolver.close()


def _scheme(url: str) -> str:
    """The rule that an address breaks which is none of the web's."""
    scheme = url.partition(":")[0].strip().lower()
    return "credentials" if scheme in ("http", "https") else "scheme"


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _unwrapped(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one, if that is what it is."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
