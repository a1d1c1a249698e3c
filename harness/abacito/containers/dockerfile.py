"""A Dockerfile as what can be done with it without Docker: which files go where, what is run, in which environment.

Own parsing: of what PyPI has, dockerfile-parse 2.0.1 reads ``${NAME:-default}`` as ``:-default}``, silently, and takes
the lines of a here-document for instructions.
"""

from __future__ import annotations

import json
import posixpath
import re
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from abacito.abaco.errors import ImageUnavailable

#: What has no bearing on a run without Docker.
_WITHOUT_EFFECT = frozenset({"LABEL", "MAINTAINER", "EXPOSE", "VOLUME", "HEALTHCHECK", "ONBUILD"})

#: Options of COPY and ADD that change nothing for a single user.
_HARMLESS_OPTIONS = ("--chown=", "--link")

_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")

_VARIABLE = r"\$(?:\{(?P<braced>\w+)(?::?(?P<how>[-+])(?P<other>[^}]*))?\}|(?P<name>\w+))"
_BARE = re.compile(
    rf"(?P<blank>\s+)|'(?P<single>[^']*)'|(?P<double>\")|\\(?P<escaped>.)|{_VARIABLE}|(?P<plain>.)", re.DOTALL
)
#: Between double quotes blanks and single quotes are characters, and a backslash escapes only what has a meaning there.
_QUOTED = re.compile(
    rf"(?P<blank>(?!))|(?P<single>(?!))|(?P<double>\")|\\(?P<escaped>[\"$\\])|{_VARIABLE}|(?P<plain>.)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Copy:
    """One COPY or ADD: paths in the folder, and an absolute one inside; a slash at its end says "into this folder"."""

    sources: tuple[str, ...]
    target: str
    mode: int | None = None


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """The last stage of a Dockerfile, variables replaced.

    ``environment`` starts with what the parser was given. ``skipped`` are the RUN lines, which nobody executes.
    """

    base: str
    environment: Mapping[str, str]
    workdir: str = "/"
    copies: tuple[Copy, ...] = ()
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str | None = None
    stop_signal: int = signal.SIGTERM
    skipped: tuple[str, ...] = ()
    shell: tuple[str, ...] = ("/bin/sh", "-c")
    arguments: Mapping[str, str] = field(default_factory=dict)

    @property
    def argv(self) -> tuple[str, ...]:
        """What a container of it runs; empty if it does not say."""
        return self.entrypoint + self.command


class _Instruction(NamedTuple):
    line: int
    word: str
    rest: str

    def refused(self, why: str) -> ImageUnavailable:
        return ImageUnavailable(f"Dockerfile line {self.line}: {self.word} {self.rest}: {why}")


def parse(text: str, environment: Mapping[str, str]) -> Dockerfile:
    """Read a Dockerfile; ``environment`` is what its base image sets.

    Raises ImageUnavailable, naming line and instruction, for what is unknown or cannot be done without Docker.
    """
    image: Dockerfile | None = None
    before: dict[str, str] = {}  # arguments declared before the first FROM: for FROM, and for an ARG that asks for them
    for instruction in _instructions(text):
        if instruction.word == "FROM":
            image = Dockerfile(_base(instruction, before), dict(environment))
        elif image is not None:
            image = _taken(image, instruction, before)
        elif instruction.word == "ARG":
            before.update(_declared(instruction, before, before))
        else:
            raise instruction.refused("stands before FROM")
    if image is None:
        raise ImageUnavailable("The Dockerfile has no FROM.")
    return image


def read(folder: Path, environment: Mapping[str, str]) -> Dockerfile:
    """The Dockerfile of ``folder``. Raises ImageUnavailable, naming the folder, when there is none or it is no use."""
    try:
        return parse((folder / "Dockerfile").read_text(encoding="utf-8"), environment)
    except OSError as error:
        raise ImageUnavailable(f"No Dockerfile can be read in {folder}: {error.strerror}") from error
    except (UnicodeDecodeError, ImageUnavailable) as error:
        raise ImageUnavailable(f"{folder}: {error}") from error


def _instructions(text: str) -> Iterator[_Instruction]:
    pending, begun = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue  # also in the middle of a continued line, as Docker does
        begun = begun if pending else number
        pending += line.strip() if not pending else line.rstrip()
        if pending.endswith("\\"):
            pending = pending[:-1]
            continue
        yield _instruction(begun, pending)
        pending = ""
    if pending:
        yield _instruction(begun, pending)


def _instruction(line: int, text: str) -> _Instruction:
    word, _, rest = re.sub(r"\s+", " ", text, count=1).partition(" ")
    found = _Instruction(line, word.upper(), rest.strip())
    if found.word in ("RUN", "COPY", "ADD") and re.search(r"<<-?[\"']?\w", found.rest):
        raise found.refused("here-documents need Docker")
    return found


def _words(text: str, variables: Mapping[str, str]) -> list[str]:
    """Split at blanks outside quotes, quotes taken away and variables replaced, as Docker's own word reader does."""
    words: list[str] = []
    word: str | None = None
    quoted, position = False, 0
    while token := (_QUOTED if quoted else _BARE).match(text, position):
        position = token.end()
        if token["blank"]:
            words += [] if word is None else [word]
            word = None
            continue
        quoted ^= token["double"] is not None
        word = (word or "") + _value(token, variables)
    return words if word is None else [*words, word]


def _value(token: re.Match[str], variables: Mapping[str, str]) -> str:
    for kind in ("single", "escaped", "plain"):
        if token[kind] is not None:
            return token[kind]
    name = token["braced"] or token["name"]
    value = variables.get(name, "") if name else ""  # the quote itself has no value
    if token["how"]:
        other = " ".join(_words(token["other"], variables))
        return (value or other) if token["how"] == "-" else (other if value else "")
    return value


def _known(image: Dockerfile) -> dict[str, str]:
    return {**image.arguments, **image.environment}


def _base(instruction: _Instruction, arguments: Mapping[str, str]) -> str:
    words = [word for word in _words(instruction.rest, arguments) if not word.startswith("--platform")]
    if not words or not words[0]:
        raise instruction.refused("names no image")
    return words[0]


def _declared(instruction: _Instruction, known: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for word in _words(instruction.rest, known):
        name, given, value = word.partition("=")
        if given or name in before:
            values[name] = value if given else before[name]
    return values


def _arg(image: Dockerfile, instruction: _Instruction, before: Mapping[str, str]) -> Dockerfile:
    declared = _declared(instruction, _known(image), before)
    return replace(image, arguments={**image.arguments, **declared})


def _env(image: Dockerfile, instruction: _Instruction) -> Dockerfile:
    known = _known(image)
    name, _, value = instruction.rest.partition(" ")
    if "=" not in name:  # the old form: one name, the rest of the line its value
        if not value:
            raise instruction.refused("has no value")
        return replace(image, environment={**image.environment, name: " ".join(_words(value, known))})
    pairs = [word.partition("=") for word in _words(instruction.rest, known)]
    if not all(name and equals for name, equals, _ in pairs):
        raise instruction.refused("is not NAME=value")
    return replace(image, environment={**image.environment, **{name: value for name, _, value in pairs}})


def _workdir(image: Dockerfile, instruction: _Instruction) -> Dockerfile:
    path = " ".join(_words(instruction.rest, _known(image)))
    return replace(image, workdir=posixpath.normpath(posixpath.join(image.workdir, path)))


def _copy(image: Dockerfile, instruction: _Instruction) -> Dockerfile:
    rest, mode = instruction.rest, None
    while rest.startswith("--"):
        option, _, rest = rest.partition(" ")
        rest = rest.lstrip()
        if option.startswith("--chmod="):
            mode = _mode(instruction, option)
        elif not option.startswith(_HARMLESS_OPTIONS):
            raise instruction.refused(f"{option.partition('=')[0]} needs Docker")
    form = _json_form(rest)
    known = _known(image)
    paths = _words(rest, known) if form is None else [" ".join(_words(path, known)) for path in form]
    if len(paths) < 2:
        raise instruction.refused("needs a source and a target")
    *sources, target = paths
    _check_sources(instruction, sources)
    into = posixpath.join(image.workdir, target)
    bare = posixpath.normpath(into)
    is_folder = len(sources) > 1 or target.endswith(("/", "/.")) or target in (".", "..") or bare == image.workdir
    copied = Copy(tuple(sources), f"{bare.rstrip('/')}/" if is_folder else bare, mode)
    return replace(image, copies=(*image.copies, copied))


def _mode(instruction: _Instruction, option: str) -> int:
    try:
        return int(option.partition("=")[2], 8)
    except ValueError:
        raise instruction.refused("its --chmod is no octal number") from None


def _check_sources(instruction: _Instruction, sources: list[str]) -> None:
    if instruction.word != "ADD":
        return
    for source in sources:
        if re.match(r"\w+://|git@", source):
            raise instruction.refused("a remote source needs Docker and the network")
        if source.endswith(_ARCHIVES):
            raise instruction.refused("unpacking an archive needs Docker")


def _json_form(text: str) -> list[str] | None:
    """The words of a JSON list of texts; None for anything else, which Docker then takes as text."""
    try:
        value = json.loads(text) if text.startswith("[") else None
    except ValueError:
        return None
    return value if isinstance(value, list) and all(isinstance(word, str) for word in value) else None


def _command(image: Dockerfile, instruction: _Instruction) -> tuple[str, ...]:
    form = _json_form(instruction.rest)
    return tuple(form) if form is not None else (*image.shell, instruction.rest)


def _cmd(image: Dockerfile, instruction: _Instruction) -> Dockerfile:
    return replace(image, command=_command(image, instruction))


def _entrypoint(image: Dockerfile, instruction: _Instruction) -> Dockerfile:
    return replace(image, entrypoint=_command(image, instruction))


def _shell(image: Dockerfile, instruction: _Instruction) -> Dockerfile:
    form = _json_form(instruction.rest)
    if not form:
        raise instruction.refused("is not a JSON list")
    return replace(image, shell=tuple(form))


def _user(image: Dockerfile, instruction: _Instruction) -> Dockerfile:
    return replace(image, user=" ".join(_words(instruction.rest, _known(image))) or None)


def _stop_signal(image: Dockerfile, instruction: _Instruction) -> Dockerfile:
    name = " ".join(_words(instruction.rest, _known(image))).upper()
    try:
        number = int(name) if name.isdigit() else signal.Signals[f"SIG{name.removeprefix('SIG')}"]
    except KeyError:
        raise instruction.refused("is no signal") from None
    return replace(image, stop_signal=int(number))


def _run(image: Dockerfile, instruction: _Instruction) -> Dockerfile:
    return replace(image, skipped=(*image.skipped, instruction.rest))


def _nothing(image: Dockerfile, instruction: _Instruction) -> Dockerfile:
    return image


_STEPS: Mapping[str, Callable[[Dockerfile, _Instruction], Dockerfile]] = {
    "ADD": _copy,
    "CMD": _cmd,
    "COPY": _copy,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "RUN": _run,
    "SHELL": _shell,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "WORKDIR": _workdir,
    **dict.fromkeys(_WITHOUT_EFFECT, _nothing),
}


def _taken(image: Dockerfile, instruction: _Instruction, before: Mapping[str, str]) -> Dockerfile:
    if instruction.word == "ARG":
        return _arg(image, instruction, before)
    step = _STEPS.get(instruction.word)
    if step is None:
        raise instruction.refused("is no instruction")
    return step(image, instruction)
