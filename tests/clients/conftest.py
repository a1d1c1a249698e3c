"""The clients that people use, as they are on PyPI, each in an environment of its own (their pins clash)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

#: What is installed for each; agavepy and tapispy need pkg_resources, which setuptools has dropped since.
PINS = {
    "agavepy": ("setuptools<81", "agavepy==0.9.5", "requests<3"),
    "tapispy": ("setuptools<81", "tapispy==0.1.0.dev0", "requests<3"),
    "tapipy": ("tapipy==25.4.0",),
}


@pytest.fixture(scope="session")
def python_of(request: pytest.FixtureRequest) -> Callable[[str], Path]:
    """Tells the interpreter of a client's environment, which is made at the first need and kept in pytest's cache."""

    def interpreter(client: str) -> Path:
        folder = request.config.cache.mkdir(f"client-{client}")
        python = folder / "bin" / "python"
        if not (folder / "installed").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
            pip = [python, "-m", "pip", "install", "--quiet", *PINS[client]]
            done = subprocess.run(pip, capture_output=True, text=True, check=False)
            if done.returncode:
                # Offline there is nothing to be had.
                pytest.skip(f"{client} cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
            (folder / "installed").touch()
        return python

    return interpreter
