"""What actors are given so that their clients, which speak nothing but https, come to the emulator."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import certifi
import pytest

from abacito.abaco.container import prepended
from abacito.abaco.errors import Misconfigured
from abacito.containers import actor_tls
from abacito.emulator import Emulator
from abacito.settings import Settings

PEM = "-----BEGIN CERTIFICATE-----\n"


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """The folder that containers are given."""
    actor_tls.callback(tmp_path / "tls", PEM, "api.example.org", "http://172.17.0.1:8")
    return tmp_path / "tls"


def python_says(program: str, *path: Path) -> str:
    variables = {"PYTHONPATH": os.pathsep.join(map(str, path))}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=True, timeout=60).stdout


def test_containers_are_told_a_public_name_us_as_the_proxy_to_it_and_whom_to_trust(tmp_path: Path) -> None:
    found = actor_tls.callback(tmp_path / "tls", PEM, "api.example.org", "http://172.17.0.1:8")

    assert found.api_server == "https://api.example.org"
    assert {found.variables[name] for name in ("HTTPS_PROXY", "https_proxy")} == {"http://172.17.0.1:8"}
    assert found.variables["SSL_CERT_FILE"] == "/_abacito_tls/ca.pem"
    assert [(each.container_path, each.mode) for each in found.mounts] == [("/_abacito_tls", "ro")]
    assert all(path.stat().st_mode & 0o004 for path in (tmp_path / "tls", *(tmp_path / "tls").iterdir()))


def test_pythons_clients_are_told_our_certificate_by_certifi(given: Path) -> None:
    packages = Path(certifi.__file__).parents[1]

    said = python_says(
        "import certifi; print(certifi.where(), certifi.core.where(), certifi.contents())", given, packages
    )

    assert said.split(maxsplit=2) == [str(given / "ca.pem"), str(given / "ca.pem"), f"{PEM}\n"]


def test_a_python_without_certifi_starts_as_ever(given: Path) -> None:
    assert python_says("import sys; sys.path = [p for p in sys.path if 'tls' in p]; print('up')", given) == "up\n"


def test_the_images_own_sitecustomize_is_run_too(given: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("import builtins; builtins.customized = 'by the image'")

    assert python_says("print(customized)", given, own) == "by the image\n"


@pytest.mark.parametrize(
    ("held", "becomes"), [({}, "/ours"), ({"P": "/a:/b"}, "/ours:/a:/b"), ({"P": None}, "/ours"), ({"P": ""}, "/ours")]
)
def test_a_folder_stands_before_what_its_variable_holds(held: dict[str, str | None], becomes: str) -> None:
    assert prepended({"OTHER": "x", **held}, {"P": "/ours"}) == {"OTHER": "x", "P": becomes}


def test_without_a_public_host_to_impersonate_actor_tls_is_refused() -> None:
    settings = Settings.read(port=0, runner="process", actor_tls=True, impersonated_hosts=["localhost"])

    with pytest.raises(Misconfigured, match="impersonated_hosts"):
        Emulator(settings).start()
