"""What the bundled actors are built upon: public base images, or stand-ins made of this machine's files, offline."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from docker import APIClient

from abacito.abaco.errors import ImageUnavailable
from abacito.containers import daemon

log = logging.getLogger(__name__)

REPOSITORY = "abacito-base"

#: Raise it when what goes into these images changes.
RECIPE = "2"

#: What actors' scripts may call, as far as this machine has it; a busybox brings more.
COMMANDS = (
    "sh",
    "awk",
    "basename",
    "cat",
    "chmod",
    "cp",
    "cut",
    "date",
    "dirname",
    "env",
    "expr",
    "false",
    "grep",
    "head",
    "hostname",
    "id",
    "ls",
    "mkdir",
    "mount",
    "mv",
    "od",
    "printf",
    "pwd",
    "readlink",
    "rm",
    "sed",
    "seq",
    "sha256sum",
    "sleep",
    "sort",
    "stat",
    "tail",
    "tee",
    "test",
    "timeout",
    "touch",
    "tr",
    "true",
    "uname",
    "uniq",
    "wc",
    "whoami",
)

#: Libraries that programs open at run time, and those that compiled Python packages name, so that no program here does.
_NAMED_LATER = (
    "libgcc_s.so.1",
    "libnss_files.so.2",
    "libnss_dns.so.2",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "libutil.so.1",
    "libm.so.6",
    "libstdc++.so.6",
)

_LEFT_OUT = {"__pycache__", "site-packages", "dist-packages", "test", "tests", "idlelib", "idle_test", "ensurepip"}
_LEFT_OUT |= {"turtledemo", "lib2to3"}
_ACCOUNTS = {"etc/passwd": "root:x:0:0:root:/root:/bin/sh\n", "etc/group": "root:x:0:\n"}
_SETTINGS = ["ENV PATH=/usr/local/bin:/usr/bin:/bin", "ENV LANG=C.UTF-8", 'CMD ["sh"]']
_LIBRARY = re.compile(r"(?:=>\s*)?(/\S+)\s+\(0x")

#: A root file system: each name with the file whose content it has, or with the target of a link.
Files = dict[str, Path | str]


class Bases:
    """Chooses what a Dockerfile with ``ARG BASE=…`` is built upon.

    ``fetch`` pulls an image, and answers False where pulling is off.
    """

    def __init__(self, client: APIClient, fetch: Callable[[str], bool]) -> None:
        self._client = client
        self._fetch = fetch

    def usable(self, default: str) -> str:
        """``default`` if it is at hand or can be pulled, else a local stand-in. Raises ImageUnavailable."""
        if daemon.image_id(self._client, default) or self._fetched(default):
            return default
        return self._stand_in(default)

    def _fetched(self, image: str) -> bool:
        try:
            return self._fetch(image)
        except ImageUnavailable as error:
            log.warning("%s cannot be pulled (%s): using files of this machine", image, error)
            return False

    def _stand_in(self, default: str) -> str:
        kind = default.partition(":")[0]
        try:
            if kind == "busybox":
                return self._made("shell", _shell(), _shell_files)
            if kind == "python":
                return self._made("python", _python(), _python_files)
        except (OSError, subprocess.SubprocessError) as error:
            raise ImageUnavailable(f"{_remedy(default)} (no stand-in could be made: {error})") from error
        raise ImageUnavailable(_remedy(default))

    def _made(self, kind: str, program: Path, gather: Callable[[Path], Files]) -> str:
        tag = f"{RECIPE}-{_fingerprint(program)}"
        reference = f"{REPOSITORY}/{kind}:{tag}"
        if daemon.image_id(self._client, reference) is None:
            log.info("making the base image %s of files of this machine", reference)
            with tempfile.NamedTemporaryFile(suffix=".tar") as packed:
                pack(gather(program), Path(packed.name))
                with daemon.asking(ImageUnavailable):
                    self._client.import_image_from_file(
                        packed.name, repository=f"{REPOSITORY}/{kind}", tag=tag, changes=_SETTINGS
                    )
        return reference


def _remedy(default: str) -> str:
    return f'No base image {default}: run "docker pull {default}"'


def _shell() -> Path:
    """A busybox if it is static, so that it runs anywhere; else the shell."""
    _require_linux()
    busybox = shutil.which("busybox")
    return Path(busybox if busybox is not None and not _libraries([Path(busybox)]) else "/bin/sh")


def _shell_files(shell: Path) -> Files:
    return _busybox_files(shell) if shell.name == "busybox" else _with_libraries(_command_files())


def _busybox_files(busybox: Path) -> Files:
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    return {**{f"usr/bin/{applet}": "busybox" for applet in applets}, "usr/bin/busybox": busybox}


def _command_files() -> Files:
    found = ((command, shutil.which(command)) for command in COMMANDS)
    return {f"usr/bin/{command}": Path(path) for command, path in found if path is not None}


def _python() -> Path:
    _require_linux()
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def _python_files(python: Path) -> Files:
    """This interpreter and its standard library at their own paths, so that it finds itself, and a shell."""
    files = _command_files()
    for path in _standard_library():
        files[str(path).lstrip("/")] = path
    files[str(python).lstrip("/")] = python
    for name in ("python", "python3", python.name):
        files.setdefault(f"usr/local/bin/{name}", str(python))
    return _with_libraries(files)


def _standard_library() -> Iterator[Path]:
    bases = {"base": sys.base_prefix, "platbase": sys.base_prefix}
    bases |= {"installed_base": sys.base_prefix, "installed_platbase": sys.base_prefix}
    for top in {sysconfig.get_path(kind, vars=bases) for kind in ("stdlib", "platstdlib")}:
        for folder, inside, names in os.walk(top):
            inside[:] = [name for name in inside if name not in _LEFT_OUT and not name.startswith("config-")]
            yield from (Path(folder, name) for name in names)


def _with_libraries(files: Files) -> Files:
    programs = [path for path in files.values() if isinstance(path, Path) and _is_binary(path)]
    libraries = _libraries(programs)
    return {**files, **{str(path).lstrip("/"): path for path in libraries}}


def _is_binary(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _libraries(programs: list[Path]) -> list[Path]:
    """The shared libraries that the programs name, and the loader; none for a static program."""
    told = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True, check=False).stdout
    named = {Path(path) for path in _LIBRARY.findall(told)}
    folders = {path.parent for path in named if path.name.startswith("libc.")}
    later = {folder / name for folder in folders for name in _NAMED_LATER if (folder / name).exists()}
    return sorted(named | later)


def _require_linux() -> None:
    if platform.system() != "Linux":
        raise OSError(f"programs of {platform.system()} do not run in a container")


def _fingerprint(program: Path) -> str:
    """Changes with the program; what comes along with it is not looked at each time."""
    about = program.stat()
    told = f"{platform.machine()} {program} {about.st_size} {about.st_mtime_ns}"
    return hashlib.sha256(told.encode(errors="surrogateescape")).hexdigest()[:12]


def pack(files: Files, archive: Path) -> None:
    """Write a root file system: each name with the content of a file, or as a link when its source is a text."""
    with tarfile.open(archive, "w") as tar:
        for folder in _folders(files):
            _add(tar, folder, tarfile.DIRTYPE, mode=0o1777 if folder == "tmp" else 0o755)
        _add(tar, "bin", tarfile.SYMTYPE, link="usr/bin")
        for name, text in _ACCOUNTS.items():
            _add(tar, name, tarfile.REGTYPE, content=text.encode(), mode=0o644)
        for name, source in files.items():
            if isinstance(source, str):
                _add(tar, name, tarfile.SYMTYPE, link=source)
            else:
                mode = 0o755 if os.access(source, os.X_OK) else 0o644
                _add(tar, name, tarfile.REGTYPE, content=source.read_bytes(), mode=mode)


def _folders(names: Iterable[str]) -> list[str]:
    folders = {"tmp", "root", "etc", "usr", "usr/bin"}
    for name in names:
        folders |= {str(parent) for parent in Path(name).parents}
    return sorted(folders - {"."})


def _add(
    tar: tarfile.TarFile, name: str, kind: bytes, *, content: bytes = b"", mode: int = 0o777, link: str = ""
) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.linkname, member.size = kind, mode, link, len(content)
    tar.addfile(member, io.BytesIO(content))
