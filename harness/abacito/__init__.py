"""Abaco, TACC's functions-as-a-service platform, on your own machine."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from abacito.abaco.errors import AbacoError
    from abacito.client import Abaco, Actor, Execution
    from abacito.client.clock import Clock
    from abacito.client.faults import Faults
    from abacito.containers.stub import Context
    from abacito.emulator import Emulator
    from abacito.settings import Settings
    from abacito.worlds import Snapshot

__all__ = [
    "Abaco",
    "AbacoError",
    "Actor",
    "Clock",
    "Context",
    "Emulator",
    "Execution",
    "Faults",
    "Settings",
    "Snapshot",
]

_HOMES = {
    "Abaco": "abacito.client",
    "AbacoError": "abacito.abaco.errors",
    "Actor": "abacito.client",
    "Clock": "abacito.client.clock",
    "Context": "abacito.containers.stub",
    "Emulator": "abacito.emulator",
    "Execution": "abacito.client",
    "Faults": "abacito.client.faults",
    "Settings": "abacito.settings",
    "Snapshot": "abacito.worlds",
}

if not TYPE_CHECKING:  # else every name would seem to be there

    def __getattr__(name: str) -> object:
        """The public names, imported when first asked for: ``abacito --help`` needs none of them."""
        if name not in _HOMES:
            raise AttributeError(f"module 'abacito' has no attribute {name!r}")
        return getattr(importlib.import_module(_HOMES[name]), name)
