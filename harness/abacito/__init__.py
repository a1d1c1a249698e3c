"""Abaco, TACC's functions-as-a-service platform, on your own machine."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from abacito.abaco.errors import AbacoError
    from abacito.client import Abaco
    from abacito.emulator import Emulator
    from abacito.settings import Settings
    from abacito.worlds import Snapshot

__all__ = ["Abaco", "AbacoError", "Emulator", "Settings", "Snapshot"]

_HOMES = {
    "Abaco": "abacito.client",
    "AbacoError": "abacito.abaco.errors",
    "Emulator": "abacito.emulator",
    "Settings": "abacito.settings",
    "Snapshot": "abacito.worlds",
}


def __getattr__(name: str) -> object:
    """The public names, imported when first asked for: ``abacito --help`` needs none of them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'abacito' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
