"""What emulators that were killed have left in the daemon: removed by the next one that starts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from docker import APIClient

from abacito.abaco.errors import RunnerAway
from abacito.containers import daemon
from abacito.containers.docker_container import remove
from abacito.containers.keeping import is_kept
from abacito.containers.labels import DURABLE_LABEL, EMULATOR_LABEL, OWNER_LABEL, is_alive

log = logging.getLogger(__name__)


def remove_leftovers(client: APIClient) -> int:
    """Remove the containers of emulators that are dead; how many there were. Raises RunnerAway."""
    with daemon.asking(RunnerAway):
        found = client.containers(all=True, filters={"label": OWNER_LABEL})
    dead = [each for each in found if not _is_meant_to_stay(each) and not is_alive(each["Labels"][OWNER_LABEL])]
    for each in dead:
        remove(client, each["Id"])
    if dead:
        log.warning("removed %d containers of emulators that were killed", len(dead))
    return len(dead)


def containers_of(namespace: str) -> list[str]:
    """The names of an emulator's containers, but for those that are kept. Raises Unavailable, RunnerAway."""
    with closing(daemon.connect()) as client, daemon.asking(RunnerAway):
        found = client.containers(all=True, filters={"label": f"{EMULATOR_LABEL}={namespace}"})
    return [each["Names"][0].lstrip("/") for each in found if not is_kept(each["Names"])]


def _is_meant_to_stay(found: Mapping[str, Any]) -> bool:
    return DURABLE_LABEL in found["Labels"] or is_kept(found["Names"])
