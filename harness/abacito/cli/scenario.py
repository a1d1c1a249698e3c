"""``abacito scenario``: stories in YAML, played on a fresh emulator or on a live Abaco."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from abacito.cli import exits
from abacito.cli.options import emulator_options, json_option, tell
from abacito.cli.record import record
from abacito.cli.signals import term_like_interrupt
from abacito.scenario import GAPS_FILE

if TYPE_CHECKING:
    from abacito.cli.junit import Case
    from abacito.scenario.ask import Target
    from abacito.scenario.play import Outcome
    from abacito.scenario.story import Story

_files = click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(exists=True, path_type=Path)
)


@click.group(epilog=exits.HELP)
def scenario() -> None:
    """Play, check and record stories: requests to Abaco, and what should come of them, in YAML."""


scenario.add_command(record)


@scenario.command(
    epilog="Examples: abacito scenario run scenarios/lecture.yaml · abacito scenario run stories/ -x · "
    "abacito scenario run stories/ -k nonce --tag refusals -n 4 --junit stories.xml · "
    "abacito scenario run story.yaml --target https://api.tacc.utexas.edu --token $TOKEN · "
    f"abacito scenario run stories/ --parity https://api.tacc.utexas.edu --token $TOKEN\n\n{exits.HELP}"
)
@_files
@click.option(
    "--target", metavar="URL", envvar="ABACITO_TARGET", help="Play on this Abaco, not on an emulator of our own."
)
@click.option(
    "--parity", metavar="URL", help="Play on an emulator of our own and on this Abaco, and tell what differs."
)
@click.option(
    "--gaps",
    "gap_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The known differences.  [the nearest parity-gaps.yaml beside or above each story]",
)
@click.option("--token", metavar="T", envvar="ABACITO_TOKEN", help="The token for --target and --parity.")
@click.option("--user-token", "user_tokens", multiple=True, metavar="USER=T", help="A token for steps `as: USER`.")
@click.option(
    "-k", "words", multiple=True, metavar="WORD", help="Only stories with it in title, tags or path; repeated: any."
)
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only stories that have this tag; repeated: any.")
@click.option("-x", "--exitfirst", is_flag=True, help="Stop at the first story that fails.")
@click.option("-n", "at_once", type=click.IntRange(min=1), default=1, metavar="N", help="Play so many at once.  [1]")
@click.option(
    "--junit", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write JUnit XML to this file."
)
@json_option
@emulator_options
def run(
    files: tuple[Path, ...],
    target: str | None,
    parity: str | None,
    gap_file: Path | None,
    token: str | None,
    user_tokens: tuple[str, ...],
    words: tuple[str, ...],
    tags: tuple[str, ...],
    exitfirst: bool,
    at_once: int,
    junit: Path | None,
    as_json: bool,
    verbose: int,
    **given: Any,
) -> None:
    """Play the stories in FILE... (a folder: all in it), each on a fresh emulator; every step is shown as it ends.

    With -v answers and logs are shown in full. With -n each story is shown when it and those before it have ended.
    With --parity each is played twice, and only what differs is shown; --json is for its report.
    """
    from abacito.cli.plays import Stage, play_all
    from abacito.cli.transcript import Transcript
    from abacito.scenario.ask import Target

    _check_usage(target, parity, user_tokens, given)
    _check_parity(parity, gap_file, as_json)
    tell(verbose)
    term_like_interrupt()
    tokens = dict(_user_token(pair) for pair in user_tokens)
    stories = _selected(load_all(files), words, tags)
    if parity is not None:
        there = Target(parity, token, tokens)
        raise SystemExit(_compare(stories, there, gap_file, given, at_once, exitfirst, junit, as_json))
    stage = Stage(target, token, tokens, given)
    outcomes = play_all(stories, stage, Transcript(is_full=verbose > 0), at_once=at_once, exitfirst=exitfirst)
    _report(junit, stories, [_case(outcome) for outcome in outcomes])
    raise SystemExit(_sum_up(outcomes, len(stories)))


@scenario.command(epilog=f"Example: abacito scenario check scenarios/\n\n{exits.HELP}")
@_files
def check(files: tuple[Path, ...]) -> None:
    """Read the stories in FILE... (a folder: all in it) and tell every one that is wrong; nothing is played."""
    from abacito.abaco.errors import Misconfigured
    from abacito.scenario.story import load

    wrong = 0
    for path in _paths(files):
        try:
            story = load(path)
        except Misconfigured as error:
            wrong += 1
            click.echo(f"abacito: {error}", err=True)
        else:
            click.echo(f"{path}: {story.title} ({len(story.steps)} steps)")
    raise SystemExit(exits.USAGE if wrong else exits.DONE)


@scenario.command(epilog=f"Example: abacito scenario schema > story.schema.json\n\n{exits.HELP}")
def schema() -> None:
    """Print the JSON schema of a story, by which editors complete and check it."""
    from abacito.scenario.story import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


def _check_usage(target: str | None, parity: str | None, user_tokens: tuple[str, ...], given: dict[str, Any]) -> None:
    if target is None and parity is None and (_is_typed("token") or user_tokens):
        raise click.UsageError("--token and --user-token are for --target and --parity: our own emulator's are known")
    if parity is not None:
        if _is_typed("target"):
            raise click.UsageError("--parity plays here and on its URL: there is no --target then")
        return
    ours = [name for name, value in given.items() if value is not None and name != "case"]
    if target is not None and ours:
        raise click.UsageError(f"--{ours[0].replace('_', '-')} is for our own emulator, not for --target")


def _is_typed(option: str) -> bool:
    return click.get_current_context().get_parameter_source(option) is ParameterSource.COMMANDLINE


def _check_parity(parity: str | None, gap_file: Path | None, as_json: bool) -> None:
    wrong = [name for name, given in (("--gaps", gap_file is not None), ("--json", as_json)) if given]
    if parity is None and wrong:
        raise click.UsageError(f"{wrong[0]} is for --parity")


def _user_token(pair: str) -> tuple[str, str]:
    user, equals, token = pair.partition("=")
    if not user or not equals:
        raise click.BadParameter(f"{pair!r} is not USER=TOKEN", param_hint="--user-token")
    return user, token


def _paths(files: tuple[Path, ...]) -> list[Path]:
    found = [path for file in files for path in (_in(file) if file.is_dir() else [file])]
    if not found:
        raise click.UsageError(f"no *.yaml in {', '.join(map(str, files))}")
    return found


def _in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.yaml") if path.name != GAPS_FILE)


def load_all(files: tuple[Path, ...]) -> list[Story]:
    """All stories, before the first is played: a slip in the last should not cost a run."""
    from abacito.scenario.story import load

    return [load(path) for path in _paths(files)]


def _selected(stories: list[Story], words: tuple[str, ...], tags: tuple[str, ...]) -> list[Story]:
    """Those that have one of the words, if any is given, and one of the tags; in words capitals do not count."""
    found = [story for story in stories if _has_any(story, words) and (not tags or set(tags) & set(story.tags))]
    if not found:
        asked = [f"-k {word}" for word in words] + [f"--tag {tag}" for tag in tags]
        raise click.UsageError(f"none of {len(stories)} stories is selected by {' '.join(asked)}")
    return found


def _has_any(story: Story, words: tuple[str, ...]) -> bool:
    places = [place.casefold() for place in (story.title, story.file, *story.tags)]
    return not words or any(word.casefold() in place for word in words for place in places)


def _compare(
    stories: list[Story],
    target: Target,
    gap_file: Path | None,
    given: dict[str, Any],
    at_once: int,
    exitfirst: bool,
    junit: Path | None,
    as_json: bool,
) -> int:
    """Play all stories on both sides, and report."""
    from abacito.cli import parity
    from abacito.cli.plays import Stage
    from abacito.scenario.parity import Theirs

    known = parity.known_gaps(gap_file, stories)
    theirs = Theirs.at(target)
    stage = Stage(None, None, {}, {**given, "case": given["case"] or theirs.target.case})
    judged = parity.verdicts(stories, stage, theirs, known, at_once)
    found = parity.report(judged, exitfirst=exitfirst, is_shown=not as_json)
    _report(junit, stories, [parity.case(verdict) for verdict in found])
    return parity.sum_up(target, found, known, as_json=as_json)


def _case(outcome: Outcome) -> Case:
    from abacito.cli.junit import Case

    return Case(outcome.story, outcome.elapsed_s, str(outcome.failure) if outcome.failure else None)


def _report(file: Path | None, stories: list[Story], cases: list[Case]) -> None:
    from abacito.abaco.errors import Misconfigured
    from abacito.cli import junit

    if file is None:
        return
    try:
        junit.write(file, stories, cases)
    except OSError as error:
        raise Misconfigured(f"{file} cannot be written: {error}") from error


def _sum_up(outcomes: list[Outcome], stories: int) -> int:
    failed = [outcome for outcome in outcomes if outcome.failure]
    elapsed_s = sum(outcome.elapsed_s for outcome in outcomes)
    words = f"{len(outcomes) - len(failed)} of {stories} stories passed, {len(failed)} failed, {elapsed_s:.1f} s"
    click.echo(words, err=True)
    return exits.FAILED if failed else exits.DONE
