"""``abacito token``: a token of a running emulator's, for any of its users."""

from __future__ import annotations

import click

from abacito.cli import exits
from abacito.cli.options import target_option


@click.command(epilog=f"Example: TOKEN=$(abacito token --user jdoe --ttl 60)\n\n{exits.HELP}")
@click.option("--user", metavar="NAME", help="Whose.  [the first with the admin role]")
@click.option("--tenant", metavar="NAME", help="Of which tenant.  [the default one]")
@click.option("--ttl", type=click.IntRange(min=1), metavar="S", help="Seconds that it lives.  [4 hours]")
@target_option
def token(user: str | None, tenant: str | None, ttl: int | None, target: str) -> None:
    """Print a new token, and nothing else."""
    from abacito.client import issue_token

    click.echo(issue_token(target, username=user, tenant=tenant, ttl_s=ttl)["access_token"])
