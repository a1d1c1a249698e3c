from __future__ import annotations

import secrets
import sys
import tarfile
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from docker import APIClient
from docker.errors import APIError, ImageNotFound

from abacito.abaco.container import ContainerSpec
from abacito.abaco.errors import ImageUnavailable
from abacito.containers.bases import Bases, pack
from abacito.containers.bundled import bundled_actors, folder_for
from abacito.containers.daemon import image_id
from abacito.containers.docker import DockerRunner
from abacito.containers.images import Images


class ADaemon:
    """As much of a daemon as Images asks for; it keeps what was built and pulled, in order."""

    def __init__(self, *images: str) -> None:
        self.images = dict.fromkeys(images, "sha256:given")
        self.built: list[dict[str, Any]] = []
        self.pulled: list[str] = []
        self.failure: str | None = None

    def inspect_image(self, reference: str) -> dict[str, str]:
        if reference not in self.images:
            raise ImageNotFound("404", explanation=f"No such image: {reference}")
        return {"Id": self.images[reference]}

    def build(self, **asked: Any) -> Iterator[dict[str, str]]:
        yield {"stream": "Step 1"}
        if self.failure is not None:
            yield {"error": self.failure}
            return
        self.built.append(asked)
        self.images[asked["tag"]] = f"sha256:built-{len(self.built)}"

    def pull(self, name: str, tag: str, **_: Any) -> Iterator[dict[str, str]]:
        if self.failure is not None:
            raise APIError("404", explanation=self.failure)
        yield {"status": "Downloading"}
        self.pulled.append(f"{name}:{tag}")
        self.images[name if tag == "latest" else f"{name}:{tag}"] = "sha256:pulled"


def images_of(daemon: ADaemon, pull: bool = False) -> Images:
    return Images(cast(APIClient, daemon), pull)


def a_folder(tmp_path: Path, dockerfile: str = "FROM busybox\nCOPY . /\n") -> Path:
    folder = tmp_path / "My Actor"
    folder.mkdir()
    (folder / "Dockerfile").write_text(dockerfile)
    (folder / "actor.sh").write_text("echo hi\n")
    return folder


def test_the_daemons_own_image_comes_before_a_bundled_one() -> None:
    daemon = ADaemon("abacosamples/test", "busybox")

    assert images_of(daemon).resolve("abacosamples/test") == "abacosamples/test"
    assert daemon.built == []


@pytest.mark.parametrize("name", ["abacosamples/test", "jstubbs/abaco_test", "abacosamples/test:latest"])
def test_a_public_name_is_built_from_the_bundled_folder(name: str) -> None:
    daemon = ADaemon("busybox")

    reference = images_of(daemon).resolve(name)

    assert reference.startswith("abacito-actors/test:")
    assert daemon.built[0]["path"] == str(bundled_actors() / "test")
    assert daemon.built[0]["buildargs"] == {"BASE": "busybox"}


def test_a_public_name_with_another_tag_is_not_bundled() -> None:
    with pytest.raises(ImageUnavailable):
        images_of(ADaemon("busybox")).resolve("abacosamples/test:2.0")


def test_an_image_is_built_once_for_one_content(tmp_path: Path) -> None:
    daemon = ADaemon("busybox")
    folder = a_folder(tmp_path)

    first, again = images_of(daemon).resolve(str(folder)), images_of(daemon).resolve(f"dir:{folder}")

    assert first == again
    assert len(daemon.built) == 1


@pytest.mark.parametrize("change", ["content", "mode", "name", "base"])
def test_whatever_changes_in_a_folder_or_its_base_makes_another_image(tmp_path: Path, change: str) -> None:
    daemon = ADaemon("busybox")
    folder = a_folder(tmp_path)
    before = images_of(daemon).resolve(str(folder))

    match change:
        case "content":
            (folder / "actor.sh").write_text("echo ho\n")
        case "mode":
            (folder / "actor.sh").chmod(0o755)
        case "name":
            (folder / "actor.sh").rename(folder / "other.sh")
        case "base":
            daemon.images["busybox"] = "sha256:another"

    assert images_of(daemon).resolve(str(folder)) != before


@pytest.mark.parametrize("written", ["./My Actor", "../{parent}/My Actor", "dir:My Actor"])
def test_a_folder_may_be_named_from_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    daemon = ADaemon("busybox")
    a_folder(tmp_path)
    monkeypatch.chdir(tmp_path)

    reference = images_of(daemon).likely(written.format(parent=tmp_path.name))

    assert reference.startswith("abacito-actors/my-actor:")


def test_a_name_is_first_tried_as_it_is() -> None:
    assert images_of(ADaemon()).likely("some/image") == "some/image"


def test_a_public_name_is_first_tried_as_what_the_daemon_has_of_it_now() -> None:
    daemon = ADaemon("busybox")
    images = images_of(daemon)
    bundled = images.likely("abacosamples/test")

    daemon.images["abacosamples/test"] = "sha256:the users own"

    assert bundled.startswith("abacito-actors/test:")
    assert images.likely("abacosamples/test") == "abacosamples/test"


def test_prepare_answers_the_id_that_the_daemon_has_now() -> None:
    daemon = ADaemon("mine")
    images = images_of(daemon)
    first = images.prepare("mine")

    daemon.images["mine"] = "sha256:rebuilt"

    assert (first, images.prepare("mine")) == ("sha256:given", "sha256:rebuilt")


def test_with_pulling_off_nothing_is_pulled_and_the_text_says_what_to_do(tmp_path: Path) -> None:
    daemon = ADaemon()

    with pytest.raises(ImageUnavailable) as refused:
        images_of(daemon).resolve("someone/actor:3")

    assert str(refused.value) == (
        'No such image: someone/actor:3; pulling is off: run "docker pull someone/actor:3", or start with --pull'
    )
    assert daemon.pulled == []


def test_with_pulling_on_a_missing_image_is_pulled_by_its_tag() -> None:
    daemon = ADaemon()
    images = images_of(daemon, pull=True)

    assert [images.resolve("someone/actor:3"), images.resolve("someone/other")] == [
        "someone/actor:3",
        "someone/other",
    ]
    assert daemon.pulled == ["someone/actor:3", "someone/other:latest"]


def test_a_failed_pull_is_told_in_the_daemons_words() -> None:
    daemon = ADaemon()
    daemon.failure = "pull access denied for someone/actor"

    with pytest.raises(ImageUnavailable, match=r"^pull access denied for someone/actor$"):
        images_of(daemon, pull=True).resolve("someone/actor")


def test_a_failed_build_is_told_in_the_daemons_words(tmp_path: Path) -> None:
    daemon = ADaemon("busybox")
    daemon.failure = "COPY failed: no such file"

    with pytest.raises(ImageUnavailable, match=r"^COPY failed: no such file$"):
        images_of(daemon).resolve(str(a_folder(tmp_path)))


def test_a_base_that_is_missing_is_never_left_to_the_daemon_to_look_for(tmp_path: Path) -> None:
    daemon = ADaemon()

    with pytest.raises(ImageUnavailable, match="No such image: debian:12"):
        images_of(daemon).resolve(str(a_folder(tmp_path, "FROM debian:12\n")))

    assert daemon.built == []


def test_an_earlier_stage_and_scratch_are_no_images_to_look_for(tmp_path: Path) -> None:
    daemon = ADaemon("busybox")
    folder = a_folder(tmp_path, "FROM busybox AS tools\nFROM tools\nFROM --platform=linux/amd64 scratch\n")

    images_of(daemon).resolve(str(folder))

    assert len(daemon.built) == 1


def test_a_folder_without_a_dockerfile_is_refused_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(ImageUnavailable, match=f"No Dockerfile can be read in {tmp_path}"):
        images_of(ADaemon()).resolve(str(tmp_path))


def test_a_base_that_can_be_pulled_is(tmp_path: Path) -> None:
    daemon = ADaemon()

    images_of(daemon, pull=True).resolve("echo")

    assert daemon.pulled == ["busybox:latest"]
    assert daemon.built[0]["buildargs"] == {"BASE": "busybox"}


def test_an_unusual_base_has_no_stand_in(tmp_path: Path) -> None:
    with pytest.raises(ImageUnavailable, match='No base image debian:12: run "docker pull debian:12"'):
        images_of(ADaemon()).resolve(str(a_folder(tmp_path, "ARG BASE=debian:12\nFROM ${BASE}\n")))


def test_every_public_name_has_its_folder_and_every_folder_a_name() -> None:
    names = tomllib.loads((bundled_actors() / "images.toml").read_text())["images"]
    folders = {path.name for path in bundled_actors().iterdir() if path.is_dir()}

    assert set(names.values()) == folders
    assert all((folder / "Dockerfile").is_file() for folder in map(folder_for, names) if folder is not None)


@pytest.mark.parametrize("actor", sorted(path.parent.name for path in bundled_actors().glob("*/Dockerfile")))
def test_a_bundled_actor_runs_where_nothing_is_built(actor: str) -> None:
    lines = (bundled_actors() / actor / "Dockerfile").read_text().splitlines()

    assert lines[0].startswith("ARG BASE=")
    assert lines[1] == "FROM ${BASE}"
    assert not any(line.startswith("RUN") for line in lines)


def test_a_packed_file_system_has_folders_for_everyone_files_and_links(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("content")
    program.chmod(0o700)

    pack({"opt/deep/program": program, "usr/bin/p": "/opt/deep/program"}, tmp_path / "root.tar")

    with tarfile.open(tmp_path / "root.tar") as tar:
        assert (tar.getmember("opt/deep").mode, tar.getmember("tmp").mode) == (0o755, 0o1777)
        assert tar.getmember("opt/deep/program").mode == 0o755
        assert tar.getmember("usr/bin/p").linkname == "/opt/deep/program"
        assert tar.getnames().index("opt") < tar.getnames().index("opt/deep")


@pytest.mark.docker
@pytest.mark.skipif(sys.platform != "linux", reason="a stand-in is made of programs that run on Linux")
@pytest.mark.parametrize(
    ("default", "script", "told"),
    [
        ("busybox:no-such-tag", "id -u; ls /actor.sh; head -c 1 /actor.sh | wc -c", "7\n/actor.sh\n1\n"),
        ("python:no-such-tag", "python3 -c 'import ssl, sqlite3, json; print(json.dumps(7))'", "7\n"),
    ],
)
def test_a_stand_in_made_of_this_machines_files_runs_actors_as_any_user(
    runner: DockerRunner, an_actor: Callable[..., str], default: str, script: str, told: str
) -> None:
    folder = Path(an_actor(script))
    dockerfile = folder / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace("BASE=busybox", f"BASE={default}"))
    spec = ContainerSpec(f"abacito-{secrets.token_hex(6)}", str(folder), {}, user="7:7")

    container = runner.create(spec, lambda result: None)
    container.start()
    end = container.wait(30)

    assert end is not None
    assert (end.exit_code, container.log()) == (0, told)


@pytest.mark.docker
def test_a_stand_in_is_made_once(client: APIClient) -> None:
    bases = Bases(client, lambda image: False)
    first = bases.usable("busybox:no-such-tag")
    made = image_id(client, first)

    assert bases.usable("busybox:no-such-tag") == first
    assert image_id(client, first) == made


def test_what_is_bundled_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert (bundled_actors() / "echo" / "Dockerfile").is_file()
