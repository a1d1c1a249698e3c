"""The Docker daemon: the way to it, and its errors in our words."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException

import requests
import urllib3
from docker import APIClient
from docker.errors import APIError, DockerException, ImageNotFound
from docker.utils import kwargs_from_env

from abacito.abaco.errors import ContainerError, ContainerGone, ImageUnavailable, RunnerAway, Unavailable

#: Where Docker is when nobody says otherwise, spelled as Abaco shows a worker's location.
DEFAULT_LOCATION = "unix://var/run/docker.sock"

#: Each running container holds one connection open for its log or its end.
CONNECTIONS = 128

#: What 404 means of a container that there was.
GONE: Mapping[int, type[ContainerError]] = {404: ContainerGone}

_SILENCE = (requests.RequestException, urllib3.exceptions.HTTPError, HTTPException, OSError)


def connect() -> APIClient:
    """A client of the daemon that Docker's own environment names (``DOCKER_HOST`` …).

    Raises Unavailable, its text one line for the user, when none answers.
    """
    try:
        _knock()
        client = APIClient(version="auto", max_pool_size=CONNECTIONS, **kwargs_from_env())
    except (DockerException, *_SILENCE) as error:
        raise Unavailable(
            f"No Docker daemon answers at {location()} ({error}): start Docker, set DOCKER_HOST, "
            "or use the process runner."
        ) from error
    if client.base_url.startswith("http+docker://"):
        client.trust_env = False  # no proxy stands before a socket; looking for one costs each call 0.3 ms
    return client


def _knock() -> None:
    """Try the daemon's socket: the SDK would say less of what is wrong with it, and leave a socket open."""
    scheme, _, path = location().partition("://")
    if scheme == "unix":
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect("/" + path.lstrip("/"))


def location() -> str:
    """The daemon's address."""
    return os.environ.get("DOCKER_HOST") or DEFAULT_LOCATION


def cgroup_driver(client: APIClient) -> str:
    """How the daemon names control groups: ``cgroupfs`` or ``systemd``."""
    try:
        with asking(RunnerAway):
            return str(client.info().get("CgroupDriver"))
    except RunnerAway:
        return "cgroupfs"


@contextmanager
def asking(refused: type[ContainerError], kinds: Mapping[int, type[ContainerError]] | None = None) -> Iterator[None]:
    """Calls of the daemon: what it refuses is raised as ``kinds`` by HTTP status, or as ``refused``.

    Raises RunnerAway when it does not answer, or stops in the middle.
    """
    try:
        yield
    except (APIError, requests.HTTPError) as error:
        status = None if error.response is None else error.response.status_code
        raise (kinds or {}).get(status or 0, refused)(explanation(error)) from error
    except _SILENCE as error:
        raise RunnerAway(f"Docker does not answer: {error}") from error
    except DockerException as error:
        raise refused(str(error)) from error


def explanation(error: Exception) -> str:
    """The daemon's own words, without the HTTP around them."""
    return str(getattr(error, "explanation", None) or error)


def image_id(client: APIClient, reference: str) -> str | None:
    """The id of the daemon's image of that name; None if it has none.

    Raises ImageUnavailable for what cannot be a name, RunnerAway.
    """
    with asking(ImageUnavailable):
        try:
            return str(client.inspect_image(reference)["Id"])  # type: ignore[no-untyped-call]  # types-docker's gap
        except ImageNotFound:
            return None


def image_environment(client: APIClient, reference: str) -> Mapping[str, str]:
    """The variables that an image sets. Raises ImageUnavailable, RunnerAway."""
    with asking(ImageUnavailable):
        found = client.inspect_image(reference)  # type: ignore[no-untyped-call]  # types-docker's gap
    return {name: value for name, _, value in (pair.partition("=") for pair in found["Config"]["Env"] or ())}
