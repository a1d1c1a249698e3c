"""Stories on an emulator of ours and on another Abaco, and the report of how alike the two are."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

import click

from abacito.abaco.ports import Pace
from abacito.cli import exits
from abacito.cli.junit import Case
from abacito.cli.plays import Stage, side_by_side
from abacito.scenario.ask import Target
from abacito.scenario.gaps import Gap, Gaps
from abacito.scenario.parity import Comparison, Theirs, compare
from abacito.scenario.story import Story
from abacito.scenario.verdict import Verdict, stale_line, summary


def known_gaps(file: Path | None, stories: Sequence[Story]) -> Gaps:
    """Those of the file, or of the ones beside and above the stories. Raises Misconfigured for what is none."""
    known = Gaps(file)
    for story in stories:
        known.look(story)
    return known


def verdicts(
    stories: Sequence[Story], stage: Stage, theirs: Theirs, known: Gaps, at_once: int
) -> Generator[Verdict, None, None]:
    """What comes of each story on both sides, in their order."""

    def play_both(story: Story, pace: Pace) -> Comparison | str:
        if (lacks := theirs.lacks_for(story)) is not None:
            return lacks
        with stage.open(story) as ours:
            return compare(story, ours, theirs.target, pace=pace)

    with closing(side_by_side(stories, play_both, at_once)) as played:
        for story, one in zip(stories, played, strict=True):
            yield Verdict.of(story, one, known)


def report(judged: Generator[Verdict, None, None], *, exitfirst: bool, is_shown: bool) -> list[Verdict]:
    """All verdicts, each shown as it comes; with ``exitfirst`` the first that is bad is the last."""
    found: list[Verdict] = []
    with closing(judged):
        for verdict in judged:
            found.append(verdict)
            if is_shown:
                click.echo("\n".join(verdict.lines()))
            if exitfirst and not verdict.is_good:
                break
    return found


def case(verdict: Verdict) -> Case:
    """The verdict as a test case."""
    why = None if verdict.is_good else "\n".join(verdict.lines())
    return Case(verdict.story, verdict.elapsed_s, why, verdict.skipped and f"it {verdict.skipped}")


def sum_up(target: Target, found: Sequence[Verdict], known: Gaps, *, as_json: bool) -> int:
    """Tell the counts, and gaps that are none any more; the exit code."""
    stale = known.stale
    counts = summary(found, stale)
    if as_json:
        click.echo(json.dumps(_document(target, found, stale, counts), indent=2, ensure_ascii=False))
    else:
        for gap in stale:
            click.echo(stale_line(gap))
        click.echo(_sentence(counts))
    return exits.DONE if all(verdict.is_good for verdict in found) else exits.FAILED


def _document(
    target: Target, found: Sequence[Verdict], stale: Sequence[Gap], counts: dict[str, int]
) -> dict[str, object]:
    return {
        "target": target.base_url,
        "stories": [verdict.document() for verdict in found],
        "stale_gaps": [{"gap": gap.place, "path": gap.path, "reason": gap.reason} for gap in stale],
        "summary": counts,
    }


def _sentence(counts: dict[str, int]) -> str:
    words = (
        "{stories} stories: {same} same, {differ} differ ({differences} differences), {fail} fail, {skipped} skipped; "
        "{answers} answers compared, {at_other_moments} times at another moment, {of_others} of others left out; "
        "{known_gaps} known gaps, {stale_gaps} no longer seen"
    )
    return words.format(**counts)
