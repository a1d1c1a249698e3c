"""``abacito serve`` for clients that speak https only: its port for them, and the certificate that verifies it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from abacito.abaco.time import real_monotonic
from abacito.emulator import Emulator
from abacito.settings import Settings


def test_serve_writes_the_certificate_that_verifies_it_and_removes_it_at_the_end(tmp_path: Path) -> None:
    ready, ca = tmp_path / "ready.json", tmp_path / "ca.pem"
    files = ["--ready-file", str(ready), "--ca-file", str(ca)]
    command = [sys.executable, "-m", "abacito", "serve", "--port", "0", "--https-port", "0", *files]
    with subprocess.Popen([*command, "--runner", "process"], stdout=subprocess.DEVNULL) as process:
        deadline = real_monotonic() + 60
        while not ready.exists():
            assert real_monotonic() < deadline
            assert process.poll() is None
        facts = json.loads(ready.read_text())
        headers = {"Authorization": f"Bearer {facts['token']}"}
        proxies = {"https": facts["url"]}

        with requests.Session() as session:
            session.trust_env = False
            by_port = session.get(f"{facts['https_url']}/actors/v2", headers=headers, verify=str(ca), timeout=30)
            lectures = "https://api.tacc.cloud/actors/v2"
            by_proxy = session.get(lectures, headers=headers, proxies=proxies, verify=str(ca), timeout=30)
        assert facts["ca"] == ca.read_text()
        process.send_signal(signal.SIGTERM)

    assert (by_port.status_code, by_proxy.status_code) == (200, 200)
    assert by_port.json() == by_proxy.json()
    assert process.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["::1", "::"])
def test_an_address_of_ipv6_stands_in_brackets_in_urls(host: str) -> None:
    with Emulator(Settings.read(port=0, https_port=0, host=host, runner="process")) as emulator:
        assert emulator.url.startswith("http://[::1]:")
        assert (emulator.https_url or "").startswith("https://[::1]:")
        headers = emulator.headers_for("admin")
        answer = requests.get(f"{emulator.url}/actors", headers=headers, timeout=10)

    assert answer.status_code == 200
