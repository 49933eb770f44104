"""The kinds of values a setting can have, each parsed from its text once, when it is read.

Every class here is the plain type it stands for (an ``int`` or a ``str``) and raises ``ValueError``
with a sentence that says what was expected. No message repeats the value: it may be a secret that
was put under the wrong key.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Any, Final, Self
from urllib.parse import urlsplit

from scaivault.clock import SECOND
from scaivault.wire.addresses import Range, parse_range
from scaivault.wire.values import parse_duration

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
"""Units of durations, in seconds."""

_SIZE: Final = re.compile(r"(\d{1,12})(B|KiB|MiB|GiB|TiB)?", re.ASCII)
_SIZES: Final = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)


class Duration(int):
    """A length of time in seconds, above zero. Text: ``30s``, ``7d``, ``1h30m``."""

    @classmethod
    def parse(cls, raw: Any) -> Self:
        try:
            return cls(parse_duration(raw if isinstance(raw, str) else ""))
        except ValueError as fault:
            raise ValueError(f"is no duration: {fault}") from None

    @property
    def microseconds(self) -> int:
        """The same in the unit of instants."""
        return self * SECOND


class Delay(Duration):
    """A duration that may be zero (``0s``)."""

    @classmethod
    def parse(cls, raw: Any) -> Self:
        return cls(0) if raw == "0s" else super().parse(raw)


class Size(int):
    """A number of bytes. Text: ``1MiB``, ``64KiB``, or a plain number."""

    @classmethod
    def parse(cls, raw: Any) -> Self:
        text = str(raw) if isinstance(raw, int) and not isinstance(raw, bool) else raw
        match = _SIZE.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise ValueError("must be a size such as 512KiB, 1MiB or 2GiB")
        return cls(int(match[1]) * _SIZES[match[2] or "B"])


class Address(str):
    """Where to listen: ``host:port``, an IPv6 host in brackets. Port 0 lets the system choose."""

    __slots__ = ()

    @classmethod
    def parse(cls, raw: Any) -> Self:
        expected = "must be host:port, such as 127.0.0.1:8443 or [::1]:8443"
        if not isinstance(raw, str):
            raise ValueError(expected)
        host, colon, port = raw.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if not (colon and port.isascii() and port.isdecimal() and len(port) <= 5):
            raise ValueError(expected)
        if int(port) > 65_535 or not (_is_ipv6(host[1:-1]) if bracketed else _HOST.fullmatch(host)):
            raise ValueError(expected)
        return cls(raw)

    @property
    def host(self) -> str:
        """Without brackets."""
        return self.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.rpartition(":")[2])

    @property
    def is_loopback(self) -> bool:
        """Only this machine can reach it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"


class Network(str):
    """A range of addresses in CIDR form; an address alone is a range of one."""

    __slots__ = ()

    @classmethod
    def parse(cls, raw: Any) -> Self:
        try:
            parse_range(raw if isinstance(raw, str) else "")
        except ValueError:
            raise ValueError("must be a network such as 10.0.0.0/8 or fd00::/8") from None
        return cls(raw)

    @property
    def range(self) -> Range:
        """Ready to compare addresses with."""
        return parse_range(self)


class Url(str):
    """An ``http`` or ``https`` address without user, query and fragment; no slash at the end."""

    __slots__ = ()

    @classmethod
    def parse(cls, raw: Any) -> Self:
        expected = "must be an address such as https://vault.example.org"
        if not isinstance(raw, str) or not raw.isascii() or not raw.isprintable() or " " in raw:
            raise ValueError(expected)
        try:
            parts = urlsplit(raw)
            port_fits = parts.port is None or parts.port > 0
        except ValueError:
            raise ValueError(expected) from None
        if parts.scheme not in {"http", "https"} or not parts.hostname or not port_fits:
            raise ValueError(expected)
        if "@" in parts.netloc or "?" in raw or "#" in raw:
            raise ValueError(f"{expected}, without user name, query and fragment")
        return cls(raw.rstrip("/"))

    @property
    def is_https(self) -> bool:
        return self.startswith("https://")


class Origin(Url):
    """A web origin as browsers send it: scheme, host and port, nothing else."""

    __slots__ = ()

    @classmethod
    def parse(cls, raw: Any) -> Self:
        if not isinstance(raw, str) or raw == "*" or urlsplit(raw).path:
            raise ValueError("must be an origin such as https://console.example.org; * is not")
        return super().parse(raw)


def _is_ipv6(text: str) -> bool:
    try:
        return ip_address(text).version == 6
    except ValueError:
        return False
