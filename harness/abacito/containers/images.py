"""From an image as it was registered to what the daemon runs."""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docker import APIClient
from docker.utils import parse_repository_tag

from abacito.abaco.errors import ImageUnavailable
from abacito.containers import daemon
from abacito.containers.bases import Bases
from abacito.containers.bundled import completed, folder_for, named_folder

log = logging.getLogger(__name__)

REPOSITORY = "abacito-actors"

_BASE_ARGUMENT = re.compile(r"^\s*ARG\s+BASE=(\S+)", re.IGNORECASE | re.MULTILINE)
_FROM = re.compile(r"^\s*FROM\s+(?:--platform=\S+\s+)?(\S+)(?:\s+AS\s+(\S+))?\s*$", re.IGNORECASE | re.MULTILINE)


class Images:
    """Finds, builds and, only with ``pull``, fetches images.

    In this order: the daemon's own image of that name, a bundled actor of that public name, a folder with a Dockerfile
    (absolute, ``./…``, ``../…`` or ``dir:PATH``), a registry. Folders are built once for each content, under
    ``abacito-actors/<folder>:<hash>``, and these images stay in the daemon for the next time.
    """

    def __init__(self, client: APIClient, pull: bool = False) -> None:
        self._client = client
        self._pull = pull
        self._bases = Bases(client, self.fetch)
        self._building = threading.Lock()
        self._known: dict[Path, str] = {}

    def prepare(self, image: str) -> str:
        """The id of what runs for ``image``, which is at hand afterwards. Raises ImageUnavailable, RunnerAway."""
        reference = self.resolve(image)
        id = daemon.image_id(self._client, reference)
        if id is None:
            raise ImageUnavailable(f"No such image: {reference}")
        return id

    def likely(self, image: str) -> str:
        """What to try first: a name as it is, unasked, as the daemon most often has it; one that also stands for a
        bundled actor, or a folder, as ``resolve``: to try and be refused takes longer than to look."""
        is_plain_name = named_folder(image) is None and folder_for(image) is None
        return image if is_plain_name else self.resolve(image)

    def resolve(self, image: str) -> str:
        """The reference in the daemon that stands for ``image``. Raises ImageUnavailable, RunnerAway."""
        given = named_folder(image)
        if given is None and daemon.image_id(self._client, image) is not None:
            return image
        if given is not None:
            return self._built(given)
        bundled = folder_for(image)
        if bundled is not None:
            return self._bundled(bundled)
        if not self.fetch(image):
            raise ImageUnavailable(
                f'No such image: {image}; pulling is off: run "docker pull {image}", or start with --pull'
            )
        return image

    def fetch(self, image: str) -> bool:
        """Pull ``image``; False when pulling is off. Raises ImageUnavailable in the daemon's words, RunnerAway."""
        if not self._pull:
            return False
        name, tag = parse_repository_tag(image)
        log.info("pulling %s", image)
        with daemon.asking(ImageUnavailable):
            _read_progress(self._client.pull(name, tag=tag or "latest", stream=True, decode=True))
        return True

    def _bundled(self, folder: Path) -> str:
        """Built at most once in this process: what comes with the package does not change under it."""
        known = self._known.get(folder)
        if known is None or daemon.image_id(self._client, known) is None:
            known = self._known[folder] = self._built(folder)
        return known

    def _built(self, folder: Path) -> str:
        with completed(folder) as source:
            return self._built_of(source)

    def _built_of(self, folder: Path) -> str:
        try:
            dockerfile = (folder / "Dockerfile").read_text()
        except OSError as error:
            raise ImageUnavailable(f"No Dockerfile can be read in {folder}: {error.strerror}") from error
        with self._building:
            arguments = self._arguments(dockerfile)
            tag = f"{REPOSITORY}/{_name(folder)}:{_content_hash(folder, self._origins(dockerfile, arguments))}"
            if daemon.image_id(self._client, tag) is None:
                self._build(folder, tag, arguments)
        return tag

    def _arguments(self, dockerfile: str) -> dict[str, str]:
        default = _BASE_ARGUMENT.search(dockerfile)
        return {"BASE": self._bases.usable(default[1])} if default else {}

    def _origins(self, dockerfile: str, arguments: dict[str, str]) -> list[str]:
        """The ids of the images built upon; had the daemon to look for one itself, it would ask a registry."""
        ids = []
        stages = {"scratch"}
        for origin, stage in _FROM.findall(dockerfile):
            name = arguments.get("BASE", origin) if origin in ("$BASE", "${BASE}") else origin
            if name not in stages and "$" not in name:
                ids.append(self.prepare(name))
            stages.add(stage)
        return ids

    def _build(self, folder: Path, tag: str, arguments: dict[str, str]) -> None:
        log.info("building %s from %s", tag, folder)
        with daemon.asking(ImageUnavailable):
            _read_progress(
                self._client.build(path=str(folder), tag=tag, buildargs=arguments, rm=True, forcerm=True, decode=True)
            )


def _name(folder: Path) -> str:
    """The folder's name as Docker allows it in a repository's."""
    return re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-") or "actor"


def _content_hash(folder: Path, origins: list[str]) -> str:
    digest = hashlib.sha256("\n".join(origins).encode())
    for path in sorted(path for path in folder.rglob("*") if path.is_file() or path.is_symlink()):
        content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        about = f"{path.relative_to(folder)}\0{path.lstat().st_mode:o}\0{len(content)}\0"
        digest.update(about.encode(errors="surrogateescape") + content)
    return digest.hexdigest()[:16]


def _read_progress(lines: Iterator[dict[str, Any]]) -> None:
    """Follow a build or a pull to its end: Docker says 200 first, and tells of failures along the way."""
    for line in lines:
        if "error" in line:
            raise ImageUnavailable(str(line["error"]).strip())
        log.debug("%s", line.get("stream") or line.get("status") or "")
