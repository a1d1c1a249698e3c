"""Clients from PyPI, set up to ask the same Abaco: tests of code that uses one get it ready to be handed over."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from abacito.abaco.errors import Misconfigured

#: agavepy and tapispy speak https only, to a host without a port: an emulator answers as this one, by way of CONNECT.
_HOST = "api.tacc.utexas.edu"


_Ca: TypeAlias = Callable[[], str] | None


def library(name: str, url: str, token: str, ca: Callable[[], str] | None) -> Any:
    """A client object of this library, with this token.

    ``ca`` gives the file of the certificate by which an emulator at ``url`` is verified; None for an Abaco elsewhere.

    ``agavepy`` is an ``agavepy.agave.Agave``, ``tapispy`` a ``tapispy.tapis.Tapis``, ``tapipy`` a
    ``tapipy.tapis.Tapis``. Raises Misconfigured for one that is not known or not installed.
    """
    if name not in _LIBRARIES:
        raise Misconfigured(f"there is no client {name!r} to be had: {', '.join(_LIBRARIES)} are")
    module, kind, arguments = _LIBRARIES[name]
    try:
        found = getattr(importlib.import_module(module), kind)
    except ModuleNotFoundError as error:
        raise Misconfigured(f"{name} cannot be imported ({error}): pip install {_REQUIREMENTS[name]}") from error
    return found(**arguments(url, token, ca))


def _of_v2(url: str, token: str, ca: _Ca) -> Mapping[str, Any]:
    if ca is None:
        return {"api_server": url, "token": token}
    proxies = {"https": f"http://{urlsplit(url).netloc}"}
    return {"api_server": f"https://{_HOST}", "token": token, "verify": ca(), "proxies": proxies}


def _of_v3(url: str, token: str, ca: _Ca) -> Mapping[str, Any]:
    return {"base_url": url, "access_token": token}


_LIBRARIES: Mapping[str, tuple[str, str, Callable[[str, str, _Ca], Mapping[str, Any]]]] = {
    "agavepy": ("agavepy.agave", "Agave", _of_v2),
    "tapispy": ("tapispy.tapis", "Tapis", _of_v2),
    "tapipy": ("tapipy.tapis", "Tapis", _of_v3),
}

# setuptools: both import pkg_resources, which it has dropped since.
_REQUIREMENTS = {name: f"{name} 'setuptools<81'" for name in ("agavepy", "tapispy")} | {"tapipy": "tapipy"}
