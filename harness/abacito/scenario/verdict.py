"""Whether a story is the same on both sides, in words for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from abacito.scenario.gaps import Gap, Gaps, Sorted
from abacito.scenario.parity import Comparison
from abacito.scenario.story import Story


@dataclass(frozen=True, slots=True)
class Verdict:
    """One story: ``comparison`` with its differences ``found``, or the sentence for which it was not played."""

    story: Story
    comparison: Comparison | None
    found: Sorted = field(default_factory=Sorted)
    skipped: str | None = None

    @classmethod
    def of(cls, story: Story, played: Comparison | str, gaps: Gaps) -> Verdict:
        """The verdict on what was played, or on what was lacking for it."""
        if isinstance(played, str):
            return cls(story, None, skipped=played)
        return cls(story, played, gaps.sort(story, played.divergences, is_whole=not any(played.failed)))

    @property
    def failed(self) -> tuple[str | None, str | None]:
        """What the story's own expectations say of our side, and of theirs."""
        return self.comparison.failed if self.comparison else (None, None)

    @property
    def is_good(self) -> bool:
        """No difference but known ones, and a story that is true of one side at least."""
        return not self.found.unlisted and not all(self.failed)

    @property
    def word(self) -> str:
        """``same``, ``differs (2)``, ``fails here`` …"""
        if self.skipped is not None:
            return "skipped"
        sides = [side for side, why in zip(("here", "there"), self.failed, strict=True) if why]
        if sides:
            return "fails on both sides" if len(sides) == 2 else f"fails {sides[0]}"
        return f"differs ({len(self.found.unlisted)})" if self.found.unlisted else "same"

    @property
    def elapsed_s(self) -> float:
        """The seconds that both sides took."""
        return self.comparison.elapsed_s if self.comparison else 0.0

    def lines(self) -> Iterator[str]:
        """For a reader."""
        yield f"{self.word}: {self.story.title} ({self.story.file})"
        if self.skipped is not None:
            yield f"  it {self.skipped}"
        for each in self.found.unlisted:
            yield from (f"  {line}" for line in str(each).splitlines())
        for gap, each in self.found.known:
            yield f"  known gap: {gap.reason}"
            yield f"    {each.file}:{each.line}: step {each.number}: {each.path} ({gap.place})"
        if all(self.failed):
            yield from (f"  {side}: {why}" for side, why in zip(("here", "there"), self.failed, strict=True))

    def document(self) -> dict[str, Any]:
        """For a program."""
        found, played = self.found, self.comparison
        return {
            "file": self.story.file,
            "title": self.story.title,
            "verdict": self.word.partition(" (")[0],
            "answers": played.answers if played else 0,
            "differences": [asdict(each) for each in found.unlisted],
            "known_gaps": [{**asdict(each), "reason": gap.reason, "gap": gap.place} for gap, each in found.known],
            "fails": dict(zip(("here", "there"), self.failed, strict=True)),
            "skipped": self.skipped,
            "at_other_moments": played.moments if played else 0,
            "of_others": played.strangers if played else 0,
        }


def summary(verdicts: Sequence[Verdict], stale: Iterable[Gap]) -> dict[str, int]:
    """The counts of a run."""
    played = [each.comparison for each in verdicts if each.comparison]
    return {
        "stories": len(verdicts),
        "same": sum(each.word == "same" for each in verdicts),
        "skipped": sum(each.skipped is not None for each in verdicts),
        "fail": sum(any(each.failed) for each in verdicts),
        "differ": sum(bool(each.found.unlisted) for each in verdicts),
        "differences": sum(len(each.found.unlisted) for each in verdicts),
        "known_gaps": sum(len(each.found.known) for each in verdicts),
        "stale_gaps": len(list(stale)),
        "answers": sum(each.answers for each in played),
        "at_other_moments": sum(each.moments for each in played),
        "of_others": sum(each.strangers for each in played),
    }


def stale_line(gap: Gap) -> str:
    """That a known gap is none any more."""
    return f"gap no longer seen: {gap.place}: {gap.path}: {gap.reason}"
