"""What an emulator holds, taken at one instant: to be gone back to, or as one file for another emulator."""

from __future__ import annotations

import gzip
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

from pydantic import AwareDatetime, Base64Bytes, BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic_core import from_json

from abacito.abaco.errors import Malformed
from abacito.aws import keys
from abacito.aws.embedded.engine import Engine, Saved
from abacito.aws.mailboxes import Queues

if TYPE_CHECKING:
    from moto.sqs.models import Message

#: Of the file; a reader knows this one.
VERSION = 1

_MARK = "abacito_snapshot"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Letter(_Part):
    """A message in a queue."""

    body: str
    group: str | None = None
    once: str | None = Field(default=None, description="Its deduplication id.")


class Contents(_Part):
    """What is in a file: records as DynamoDB writes them, blobs, and what waits in the queues.

    ``saved_at`` is the machine's time. ``key`` decrypts the secrets, if there are any and it was made up; of one from
    the settings there is but the ``key_mark`` by which it is known. ``functions``: images that were Python functions.
    """

    abacito_snapshot: int
    made_by: str
    saved_at: AwareDatetime
    key: str | None = None
    key_mark: str | None = None
    functions: tuple[str, ...] = ()
    items: tuple[dict[str, dict[str, JsonValue]], ...]
    objects: dict[str, Base64Bytes]
    queues: dict[str, tuple[Letter, ...]]

    @property
    def waiting(self) -> int:
        """How many messages and rings wait in all queues."""
        return sum(map(len, self.queues.values()))

    @property
    def has_secrets(self) -> bool:
        """Whether a config's value is encrypted."""
        return any(item.get("is_secret") == {"BOOL": True} for item in self.items)

    @property
    def tenants(self) -> set[str]:
        """Whose actors are in it."""
        enrolled = (item for item in self.items if item["pk"]["S"] == keys.REGISTER)
        return {str(item["sk"]["S"]).split("#")[1] for item in enrolled}

    def to_bytes(self) -> bytes:
        """As a file: JSON, compressed, so that a part of it is not taken for the whole."""
        return gzip.compress(self.model_dump_json(exclude_none=True).encode(), mtime=0)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """From a file's. Raises Malformed for what is none, for a part of one, and for a newer one."""
        try:
            document = from_json(gzip.decompress(data))
        except (EOFError, zlib.error) as error:
            raise Malformed("it is a part of a snapshot only, or damaged: save or copy it again") from error
        except (OSError, ValueError) as error:
            raise Malformed("it is no snapshot: abacito snapshot save writes one") from error
        version = document.get(_MARK) if isinstance(document, dict) else None
        if not isinstance(version, int):
            raise Malformed("it is no snapshot: abacito snapshot save writes one")
        if version > VERSION:
            made_by = document.get("made_by")
            raise Malformed(
                f"it is of version {version}, by abacito {made_by}; this one reads {VERSION}: update abacito"
            )
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise Malformed(f"it is no snapshot, though it says so: {place}: {first['msg']}") from error


class Snapshots:
    """Takes and loads what an engine holds of one emulator: one table, one bucket, the queues of its namespace."""

    def __init__(self, engine: Engine, namespace: str, bucket_name: str) -> None:
        self._engine, self._namespace, self._bucket_name = engine, namespace, bucket_name

    def contents(self, saved: Saved, **about: Any) -> Contents:
        """The same for a file; ``about``: the rest of its fields. Users' tokens and OAuth clients are left out."""
        items = (item for item in self._items(saved) if not keys.is_credential(str(item["pk"]["S"])))
        objects = saved.objects.get(self._bucket_name, {}).items()
        return Contents(
            abacito_snapshot=VERSION,
            items=tuple(items),
            objects={key: b64encode(value) for key, (_, value) in objects},
            queues={name.removeprefix(self._prefix): tuple(map(_letter, messages))
                    for name, (_, messages) in saved.queues.items()},
            **about,
        )  # fmt: skip

    def fill(self, contents: Contents) -> None:
        """Have all of it there, beside what is there. Nothing of it may be."""
        dynamodb, s3 = self._engine.client("dynamodb"), self._engine.client("s3")
        for item in contents.items:
            dynamodb.put_item(TableName=self._namespace, Item={name: _read(value) for name, value in item.items()})
        for key, value in contents.objects.items():
            s3.put_object(Bucket=self._bucket_name, Key=key, Body=value)
        queues = Queues(self._engine.client("sqs"))
        for name, letters in contents.queues.items():
            _post(queues, self._prefix + name, letters)

    @property
    def _prefix(self) -> str:
        return f"{self._namespace}-"

    def _items(self, saved: Saved) -> Iterator[dict[str, dict[str, Any]]]:
        for partition in saved.tables.get(self._namespace, {}).values():
            for item in partition.values():
                yield {name: _written(value) for name, value in item.to_json()["Attributes"].items()}


def _post(queues: Queues, name: str, letters: tuple[Letter, ...]) -> None:
    url = queues.create(name, **({"FifoQueue": "true"} if name.endswith(".fifo") else {}))
    for letter in letters:
        named = {"MessageDeduplicationId": letter.once, "MessageGroupId": letter.group}
        given: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
        queues.client.send_message(QueueUrl=url, MessageBody=letter.body, **given)


def _letter(message: Message) -> Letter:
    return Letter(body=message.body, group=message.group_id, once=message.deduplication_id)


def _written(value: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON can say it."""
    return {kind: b64encode(given).decode() if isinstance(given, bytes) else given for kind, given in value.items()}


def _read(value: Mapping[str, Any]) -> dict[str, Any]:
    return {kind: b64decode(given) if kind == "B" else given for kind, given in value.items()}
