"""Images that are folders: what an image's name says, and the public samples that come with abacito, so that tutorials
work offline."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

_FOLDER_PREFIX = "dir:"


def bundled_actors() -> Path:
    """The folder of the bundled actors: in an installed package inside it, in a source checkout beside it."""
    package = Path(__file__).parents[1]
    installed = package / "_fixtures" / "actors"
    return installed if installed.is_dir() else package.parent.parent / "fixtures" / "actors"


def named_folder(image: str) -> Path | None:
    """The folder that an image's name says: absolute, ``./…``, ``../…`` or ``dir:PATH``; None if it says none."""
    if image.startswith(_FOLDER_PREFIX):
        return Path(image.removeprefix(_FOLDER_PREFIX)).resolve()
    return Path(image).resolve() if image.startswith(("/", "./", "../")) or image in (".", "..") else None


def folder_for(image: str) -> Path | None:
    """The bundled folder of the public name ``image``, whose tag is missing or ``latest``; None if there is none."""
    name = image.removesuffix(":latest")
    folder = _names().get(name)
    return None if folder is None else bundled_actors() / folder


@cache
def _names() -> dict[str, str]:
    with (bundled_actors() / "images.toml").open("rb") as file:
        names = tomllib.load(file)["images"]
    return {str(name): str(folder) for name, folder in names.items()}
