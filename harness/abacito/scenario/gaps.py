"""Known differences between our emulator and another Abaco: a file that lists them, each with its reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from abacito.abaco.errors import Misconfigured
from abacito.scenario import GAPS_FILE
from abacito.scenario.expect import Place
from abacito.scenario.page import read_as
from abacito.scenario.parity import Divergence
from abacito.scenario.story import Story


class Gap(BaseModel):
    """One known difference; what it does not say may be anything, and so may a `*` in what it says."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    story: str = Field(default="*", description="The end of its file's path: `nonces/*.yaml`.")
    step: int | str = Field(default="*", description="Its number, or its request: `PUT /actors/v2/*`.")
    path: str = Field(description="The place in the answer: `message`, `result.*.status`.")
    ours: str | None = Field(default=None, description="As the report shows it.")
    theirs: str | None = Field(default=None, description="As the report shows it.")
    reason: str = Field(min_length=1)
    _file: str = PrivateAttr(default="")
    _line: int = PrivateAttr(default=0)

    @property
    def place(self) -> str:
        """``FILE:LINE``."""
        return f"{self._file}:{self._line}"

    def is_about(self, story: Story) -> bool:
        """Whether it speaks of this story."""
        path = PurePath(story.file)
        return any(_fits(PurePath(*path.parts[at:]).as_posix(), self.story) for at in range(len(path.parts)))

    def explains(self, story: Story, found: Divergence) -> bool:
        """Whether this difference is the known one."""
        said = ((self.ours, found.ours), (self.theirs, found.theirs))
        return (
            self.is_about(story)
            and self._is_step(found)
            and _fits(found.path, self.path)
            and all(pattern is None or _fits(value, pattern) for pattern, value in said)
        )

    def _is_step(self, found: Divergence) -> bool:
        return self.step == found.number if isinstance(self.step, int) else _fits(found.request, self.step)


class _Listed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    gaps: list[Gap]


@dataclass(frozen=True, slots=True)
class Sorted:
    """A story's differences: those that nobody has listed, and those that are known, each with its gap."""

    unlisted: tuple[Divergence, ...] = ()
    known: tuple[tuple[Gap, Divergence], ...] = ()


class Gaps:
    """All gaps of a run: those of this file, or of the ones found by ``look``; it notes which have been seen.

    Raises Misconfigured, in one line, for a file that is none.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._is_named = file is not None
        self._read: set[Path] = set()
        self._gaps: list[Gap] = []
        if file is not None:
            self._take(file)
        self._met: set[str] = set()
        self._seen: set[str] = set()

    def look(self, story: Story) -> None:
        """Read the file in the story's folder, or in the next above that has one. Raises Misconfigured."""
        found = None if self._is_named else next(filter(Path.is_file, _above(Path(story.file))), None)
        if found is not None and found.resolve() not in self._read:
            self._take(found)

    def _take(self, file: Path) -> None:
        self._read.add(file.resolve())
        self._gaps += load(file)

    def sort(self, story: Story, found: Iterable[Divergence], *, is_whole: bool) -> Sorted:
        """Tell known differences of a story that was played from others; to its end, if ``is_whole``."""
        if is_whole:
            self._met |= {gap.place for gap in self._gaps if gap.is_about(story)}
        unlisted: list[Divergence] = []
        known: list[tuple[Gap, Divergence]] = []
        for each in found:
            gap = next((gap for gap in self._gaps if gap.explains(story, each)), None)
            if gap is None:
                unlisted.append(each)
            else:
                known.append((gap, each))
                self._seen.add(gap.place)
        return Sorted(tuple(unlisted), tuple(known))

    @property
    def stale(self) -> list[Gap]:
        """Those of stories that were played which no difference has shown."""
        return [gap for gap in self._gaps if gap.place in self._met - self._seen]


def _fits(text: str, pattern: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


def load(path: Path) -> list[Gap]:
    """Read a file of gaps. Raises Misconfigured, in one line, with the place."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path}: cannot be read as known gaps: {error}") from error
    listed, line_of = read_as(_Listed, text, str(path), "a file of known gaps", _keys_at)
    for index, gap in enumerate(listed.gaps):
        gap._file, gap._line = str(path), line_of(("gaps", index))
    return listed.gaps


def _above(story: Path) -> Iterator[Path]:
    """Where it might be, as it would be named; those that are not below the present folder by their whole path."""
    folders = story.parent, *story.parent.parents
    rest = [] if story.is_absolute() else [*Path.cwd().parents]
    return (folder / GAPS_FILE for folder in (*folders, *rest))


def _keys_at(place: Place) -> list[str]:
    return list(_Listed.model_fields) if not place else list(Gap.model_fields)
