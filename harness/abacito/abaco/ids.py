"""Ids of actors, executions and workers: Hashids of a 64-bit number that grows with real time."""

from __future__ import annotations

import secrets
import time

from hashids import Hashids

# Abaco 1.9, actors/models.py: the salt by which clients and Abaco's own tests tell an id from an alias.
_HASHIDS = Hashids(salt="eJa5wZlEX4eWU")
_RANDOM_BITS = 12
_LONGEST = 32


def new_id() -> str:
    """A fresh id. Ids made later (by more than a microsecond) decode to larger numbers; a collision is possible
    (1 in 4,096 within one microsecond), so a record is always put on condition that it is new."""
    return at(int(time.clock_gettime(time.CLOCK_REALTIME) * 1_000_000), secrets.randbits(_RANDOM_BITS))


def at(microseconds: int, tail: int) -> str:
    """The id of a time and of 12 bits more: always the same, for what must not be made twice."""
    return str(_HASHIDS.encode(microseconds << _RANDOM_BITS | tail % (1 << _RANDOM_BITS)))


def number(text: str) -> int | None:
    """The number behind an id; None when ``text`` is no id (so it may be an alias)."""
    if len(text) > _LONGEST:  # Hashids takes a time that grows with the square of the length
        return None
    decoded = _HASHIDS.decode(text)
    return decoded[0] if len(decoded) == 1 else None


def sort_key(text: str) -> str:
    """The id as text that sorts by age. Raises ValueError for what is no id."""
    value = number(text)
    if value is None:
        raise ValueError(f"not an id: {text!r}")
    return f"{value:020d}"
