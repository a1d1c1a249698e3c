"""``abacito env``: all that a client needs to find a running emulator, as lines for the shell's eval."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from abacito.cli import exits
from abacito.cli.options import target_option

#: The host as which the one port answers clients that speak https only, by way of CONNECT.
_HOST = "api.tacc.utexas.edu"
_TENANT_CODE = "tacc.prod"

CLIENTS = ("curl", "agavepy", "tapispy", "tapis-cli", "tapipy")

# The lecture's own command, auth-check -v: who am I, and for how long? With --refresh it fetches a new pair of tokens
# first; when there is none to be had, the old ones stay. Ends with 1 when the token does not count, with 2 when asked
# for something else.
_AUTH_CHECK = r"""auth-check() {
  local option pair
  for option in "$@"; do
    case $option in
      -v|--verbose) ;;
      --refresh)
        pair=$(curl -s --noproxy '*' --fail-with-body -u "$CLIENT_KEY:$CLIENT_SECRET" -d grant_type=refresh_token \
          -d "refresh_token=$REFRESH_TOKEN" "$BASE/token") || { printf '%s\n' "$pair" >&2; return 1; }
        TOKEN=$(printf %s "$pair" | sed 's/.*"access_token": "\([^"]*\)".*/\1/')
        REFRESH_TOKEN=$(printf %s "$pair" | sed 's/.*"refresh_token": "\([^"]*\)".*/\1/')
        export TOKEN REFRESH_TOKEN ;;
      *) echo "usage: auth-check [-v] [--refresh]" >&2; return 2 ;;
    esac
  done
  curl -s --noproxy '*' --fail-with-body -H "Authorization: Bearer $TOKEN" "$BASE/_abacito/tokens" || return 1
}"""


@click.command("env", epilog=f'Example: eval "$(abacito env --client curl)"\n\n{exits.HELP}')
@click.option("--client", type=click.Choice(CLIENTS), default="curl")
@click.option("--user", metavar="NAME", help="Who it is for.  [the first with the admin role]")
@click.option("--folder", type=click.Path(path_type=Path), help="Where agavepy's files go.  [.abacito here]")
@target_option
def env(client: str, user: str | None, folder: Path | None, target: str) -> None:
    """Print exports for a client of the emulator at --target, and nothing else."""
    from abacito.client import issue_token

    login = issue_token(target, username=user, client=True)
    place = (folder or Path(".abacito")).absolute()
    for name, value in variables(client, Site(target, login, place)).items():
        click.echo(f"export {name}={shlex.quote(value)}")
    if client == "curl":
        click.echo(f"# export https_proxy={target}  # then the lecture's https addresses work, with curl -k")
        click.echo(_AUTH_CHECK)


@dataclass(frozen=True)
class Site:
    """A running emulator, a fresh login there, and a folder for what must be in files."""

    target: str
    login: Mapping[str, Any]
    folder: Path


def variables(client: str, site: Site) -> Mapping[str, str]:
    """What this client's environment must hold; what it has in files is written to ``site.folder``."""
    return _CLIENTS[client](site)


def _curl(site: Site) -> Mapping[str, str]:
    login = site.login
    return {
        "BASE": site.target,
        "TOKEN": login["access_token"],
        "REFRESH_TOKEN": login["refresh_token"],
        "CLIENT_KEY": login["client_key"],
        "CLIENT_SECRET": login["client_secret"],
    }


def _agavepy(site: Site) -> Mapping[str, str]:
    _write_current(site)
    return {"AGAVE_CACHE_DIR": str(site.folder), "HTTPS_PROXY": site.target}


def _tapis_cli(site: Site) -> Mapping[str, str]:
    return {
        "TAPIS_CACHE_DIR": str(site.folder),
        **_agavepy(site),
        "TAPIS_TENANTS_URL": f"https://{_HOST}/tenants",
        "TAPIS_DEFAULT_VERIFY_SSL": "false",
        "TAPIS_CLI_VERIFY_SSL": "false",
        "TAPIS_CLI_NO_PROMPT": "1",
        "TAPIS_CLI_GA_DISABLE": "true",
    }


def _tapipy(site: Site) -> Mapping[str, str]:
    login = site.login
    return {
        "TAPIS_BASE_URL": site.target,
        "TAPIS_JWT": login["access_token"],
        "TAPIS_USERNAME": login["username"],
    }


def _write_current(site: Site) -> None:
    """agavepy's session file; only its owner may read it, for there are tokens in it."""
    login = site.login
    current = {
        "tenantid": _TENANT_CODE,
        "baseurl": f"https://{_HOST}",
        "apikey": login["client_key"],
        "apisecret": login["client_secret"],
        "access_token": login["access_token"],
        "refresh_token": login["refresh_token"],
        "username": login["username"],
        "expires_in": login["expires_in"],
        "created_at": 0,
        "expires_at": "",
        "verify": False,
        "proxies": {"https": f"http://{urlsplit(site.target).netloc}"},
    }
    site.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = site.folder / "current"
    file.touch(mode=0o600)
    file.write_text(json.dumps(current) + "\n")


_CLIENTS: Mapping[str, Callable[[Site], Mapping[str, str]]] = {
    "curl": _curl,
    "agavepy": _agavepy,
    "tapispy": _agavepy,
    "tapis-cli": _tapis_cli,
    "tapipy": _tapipy,
}
