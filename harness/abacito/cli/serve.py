"""``abacito serve``: Abaco here, until Ctrl-C."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abacito.cli import exits
from abacito.cli.options import emulator_options, tell
from abacito.cli.signals import until_signalled
from abacito.cli.worlds import begun, world_options
from abacito.files import write_whole

if TYPE_CHECKING:
    from abacito.emulator import Emulator


@click.command(epilog=f"Example: abacito serve --port 0 --ready-file ready.json\n\n{exits.HELP}")
@click.option("--host", help="Address to listen on.  [127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.  [8088]")
@click.option("--https-port", type=click.IntRange(0, 65535), help="A port for https; 0 takes a free one.  [none]")
@click.option("--tenant", help="Name of the tenant.  [TACC-PROD]")
@click.option("--ready-file", type=click.Path(path_type=Path), help="Write URL, token and more here when ready (JSON).")
@click.option("--ca-file", type=click.Path(path_type=Path), help="Write the certificate here that verifies us (PEM).")
@world_options
@emulator_options
def serve(
    ready_file: Path | None,
    ca_file: Path | None,
    imported: Path | None,
    seeds: tuple[Path, ...],
    exported: Path | None,
    verbose: int,
    **given: Any,
) -> None:
    """Run Abaco here until Ctrl-C.

    The base URL is the first line on stdout; a ready token and exports to copy follow.
    """
    from abacito.settings import Settings

    tell(verbose)
    with begun(Settings.read(**given), imported, seeds, exported) as emulator:
        if ca_file:
            write_whole(ca_file, emulator.ca_pem)
        _announce(emulator, ready_file)
        try:
            code = until_signalled()
        finally:
            for written in filter(None, (ready_file, ca_file)):
                written.unlink(missing_ok=True)
    raise SystemExit(code)


def _announce(emulator: Emulator, ready_file: Path | None) -> None:
    facts = _facts(emulator)
    click.echo(facts["url"])
    click.echo(f"\nexport BASE={facts['url']}\nexport TOKEN={facts['token']}")
    click.echo(f"curl {_header_options(emulator, facts)} $BASE/actors/v2")
    click.echo(
        f"\nUser {facts['username']} (password {facts['password']}) has the admin role; tenant {facts['tenant']}. "
        f"Actors run with: {facts['runner']}. Ctrl-C stops.",
        err=True,
    )
    if ready_file:
        write_whole(ready_file, json.dumps(facts, indent=1) + "\n", for_us_only=True)


def _header_options(emulator: Emulator, facts: dict[str, Any]) -> str:
    """How curl names the user, as it is done here; whoever signs assertions himself knows his own."""
    if emulator.settings.auth == "tokens":
        return '-H "Authorization: Bearer $TOKEN"'
    if emulator.settings.jwt_public_key and emulator.settings.auth == "jwt":
        return f'-H "X-Jwt-Assertion-{facts["tenant"]}: $ASSERTION"'
    return " ".join(f'-H "{name}: {text}"' for name, text in emulator.headers_for(facts["username"]).items())


def _facts(emulator: Emulator) -> dict[str, Any]:
    admin = emulator.admin
    return {
        "url": emulator.url,
        "https_url": emulator.https_url,
        "ca": emulator.ca_pem,
        "pid": os.getpid(),
        "runner": emulator.runner.name,
        "tenant": admin.tenant,
        "username": admin.username,
        "password": admin.password,
        **emulator.login(admin.username, admin.tenant),
    }
