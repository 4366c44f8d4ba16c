"""Whom to believe when a proxy says who somebody is.

Anybody can send the header `X-Forwarded-User`. It counts only when the connection itself comes
from an address that the configuration lists.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from abops.kernel.errors import UsageError

Network: TypeAlias = IPv4Network | IPv6Network


class NetworkError(UsageError):
    """This is not a network."""

    hint = "Write it as an address and a length: 10.0.0.0/8, 192.0.2.7/32, fd00::/8."


def networks_of(written: Sequence[str]) -> tuple[Network, ...]:
    """Read networks; raises NetworkError."""
    try:
        return tuple(ip_network(one.strip()) for one in written)
    except ValueError as error:
        raise NetworkError(str(error)) from error


def is_trusted(peer: str, networks: Sequence[Network]) -> bool:
    """Tell whether the other end of the connection is one of these networks' addresses."""
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in networks)
