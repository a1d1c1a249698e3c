"""``abacito scenario record``: a proxy in front of an Abaco that writes a story."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from abacito.cli import exits
from abacito.cli.options import tell
from abacito.cli.signals import until_signalled

if TYPE_CHECKING:
    from abacito.scenario.recording.recorder import Noted


@click.command(
    epilog="Example: abacito scenario record --target http://127.0.0.1:8088 -o story.yaml, then, elsewhere, with its "
    f'address in place of the target\'s: curl -H "Authorization: Bearer $TOKEN" $BASE/actors/v2\n\n{exits.HELP}'
)
@click.option("--target", metavar="URL", envvar="ABACITO_TARGET", required=True, help="The Abaco that is asked.")
@click.option(
    "--token", metavar="T", envvar="ABACITO_TOKEN", help="Sent with requests that say nothing of who asks.  [none]"
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", required=True,
              help="The story's file; it must not be there yet.")  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on; 0 takes a free one.  [0]")
@click.option("--case", type=click.Choice(["camel", "snake"]), help="Field names of the target.  [found out]")
@click.option("-v", "--verbose", count=True, help="Tell more on stderr; twice: everything.")
def record(target: str, token: str | None, output: Path, host: str, port: int, case: str | None, verbose: int) -> None:
    """Write what clients ask of an Abaco as a story that plays again, until Ctrl-C.

    Clients ask the address that is the first line on stdout in place of the target's. Each request is told on stderr,
    with the number of its step or why it has none. What the server makes up has names in the story; no token, nonce,
    password or secret stands in it. The file is whole after every step.
    """
    from abacito.scenario.ask import Line, Target
    from abacito.scenario.recording.proxy import Proxy
    from abacito.scenario.recording.recorder import Recorder
    from abacito.scenario.recording.writing import Recording
    from abacito.settings import LOOPBACK

    if token is not None and host not in LOOPBACK:
        raise click.UsageError(f"--token with --host {host}: anybody in the network could use it; listen on 127.0.0.1")
    tell(verbose)
    line = Line(Target(target, token, case=case))  # type: ignore[arg-type] # click has checked it
    line.close()
    recording = Recording(output, Recorder(output.stem.replace("_", " "), line.case), _show)
    with Proxy(target, host, port, token, recording.note) as proxy:
        code = until_signalled(lambda: click.echo(proxy.url))
    steps = recording.close()
    click.echo(f"{output}: {steps} steps" if steps else "nothing was recorded, so there is no story", err=True)
    raise SystemExit(code)


def _show(noted: Noted) -> None:
    number = f"{noted.number:>4}  " if noted.number else "   -  "
    why_not = f" (left out: {noted.why_not})" if noted.why_not else ""
    click.echo(f"{number}{noted.title} → {noted.status_code}{why_not}", err=True)
