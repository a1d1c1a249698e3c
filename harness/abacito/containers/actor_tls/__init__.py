"""How the clients inside actors, which speak nothing but https to a host without a port, come to the emulator."""

from __future__ import annotations

import shutil
from pathlib import Path

from abacito.abaco.container import Callback, Mount

#: Where it is in a container.
FOLDER = "/_abacito_tls"
_CERTIFICATE = f"{FOLDER}/ca.pem"


def callback(folder: Path, ca_pem: str, host: str, proxy: str) -> Callback:
    """Lay out what containers are given, in ``folder``, which is made: they ask for ``https://<host>`` by way of
    ``proxy``, an http URL that they reach, and trust ``ca_pem``.

    Beside Python's clients (by certifi) curl, OpenSSL's and Node's are told whom to trust.
    """
    folder.mkdir()
    (folder / "ca.pem").write_text(ca_pem)
    shutil.copyfile(Path(__file__).with_name("sitecustomize.py"), folder / "sitecustomize.py")
    folder.chmod(0o755)  # an actor may have any uid
    for file in folder.iterdir():
        file.chmod(0o644)
    bundles = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
    return Callback(
        api_server=f"https://{host}",
        variables={"HTTPS_PROXY": proxy, "https_proxy": proxy, **dict.fromkeys(bundles, _CERTIFICATE)},
        search_paths={"PYTHONPATH": FOLDER},
        mounts=(Mount(str(folder), FOLDER, "ro"),),
    )
