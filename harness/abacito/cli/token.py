"""``abacito token``: a token of a running emulator's, for any of its users."""

from __future__ import annotations

import click

from abacito.cli import exits
from abacito.cli.options import target_option


@click.command(epilog=f"Example: TOKEN=$(abacito token --user jdoe --ttl 60)\n\n{exits.HELP}")
@click.option("--user", metavar="NAME", help="Whose.  [the first with the admin role]")
@click.option("--tenant", metavar="NAME", help="Of which tenant.  [the default one]")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="A role in place of his own; may be repeated.")
@click.option("--ttl", type=click.IntRange(min=1), metavar="S", help="Seconds that it lives.  [4 hours]")
@click.option("--jwt", is_flag=True, help="A header with a signed assertion instead, for an emulator with --auth jwt.")
@target_option
def token(
    user: str | None, tenant: str | None, roles: tuple[str, ...], ttl: int | None, jwt: bool, target: str
) -> None:
    """Print a new token, and nothing else; with --jwt a header for curl -H."""
    from abacito.client import issue_token

    given = issue_token(
        target, username=user, tenant=tenant, roles=list(roles) or None, ttl_s=ttl, assertion=jwt or None
    )
    for name, text in given["headers"].items() if jwt else ():
        click.echo(f"{name}: {text}")
    if not jwt:
        click.echo(given["access_token"])
