"""Where a request comes from: the connection's other end, or what a trusted proxy says of it."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.datastructures import Headers
from starlette.types import Scope

from api.settings import Network

UNKNOWN = "unknown"
SUBSCRIBER = 64
"""Bits of an IPv6 address that one subscriber's all have."""


def address_of(scope: Scope, trusted: Sequence[Network]) -> str:
    """Whom to count a request for: an IPv4 address, or the network of an IPv6 address.

    X-Forwarded-For is read from its end, each proxy having added whom it heard, for as long as who wrote it is trusted:
    what a client itself wrote there stands before that and is not believed.
    """
    client = scope.get("client")
    if client is None:
        return UNKNOWN
    found = _parsed(client[0])
    if found is None:
        return str(client[0])[:60]
    if trusted and _within(found, trusted):
        said = ",".join(Headers(scope=scope).getlist("x-forwarded-for"))
        for part in reversed(said.split(",")):
            named = _parsed(part.strip())
            if named is None:
                break
            found = named
            if not _within(found, trusted):
                break
    return _counted(found)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        found = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def _within(address: IPv4Address | IPv6Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _counted(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    network = int(address) >> (128 - SUBSCRIBER) << (128 - SUBSCRIBER)
    return f"{IPv6Address(network)}/{SUBSCRIBER}"
