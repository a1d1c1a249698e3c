"""Images that are folders: what an image's name says, and the public samples that come with abacito, so that tutorials
work offline."""

from __future__ import annotations

import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from abacito.abaco.errors import ImageUnavailable

_FOLDER_PREFIX = "dir:"


def bundled_actors() -> Path:
    """The folder of the bundled actors: in an installed package inside it, in a source checkout beside it."""
    package = Path(__file__).resolve().parents[1]
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


@contextmanager
def completed(folder: Path) -> Iterator[Path]:
    """A folder with all that its Dockerfile copies: itself, or a copy of the same name, for a bundled actor that wants
    modules beside it which can be installed nowhere offline. They are taken from where this Python has them."""
    modules = _table("modules").get(folder.name, ()) if folder.parent == bundled_actors() else ()
    if not modules:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="abacito-actor-") as place:
        copy = shutil.copytree(folder, Path(place) / folder.name)
        for module in modules:
            shutil.copytree(_place_of(module), copy / module, ignore=shutil.ignore_patterns("__pycache__"))
        yield copy


def _place_of(module: str) -> Path:
    found = find_spec(module)
    if found is None or not found.submodule_search_locations:
        raise ImageUnavailable(f"The module {module}, which comes with abacito, is not installed: pip install {module}")
    return Path(found.submodule_search_locations[0])


def _names() -> Mapping[str, str]:
    return _table("images")


@cache
def _table(name: str) -> Mapping[str, Any]:
    with (bundled_actors() / "images.toml").open("rb") as file:
        table: Mapping[str, Any] = tomllib.load(file)[name]
    return table
