"""What an emulator holds, taken at one instant: to be gone back to, or as one file for another emulator."""

from __future__ import annotations

import gzip
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

from botocore.exceptions import ClientError
from pydantic import AfterValidator, AwareDatetime, Base64Bytes, BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from abacito.abaco.actor import ActorKey
from abacito.abaco.errors import Malformed
from abacito.abaco.execution import ExecutionKey, ExecutionStatus
from abacito.aws import keys
from abacito.aws.buckets import Bucket
from abacito.aws.embedded.engine import Engine, Saved
from abacito.aws.embedded.queue import Letter
from abacito.aws.mailboxes import Queues, ring_of
from abacito.aws.tables import Table

if TYPE_CHECKING:
    from moto.sqs.models import Message

#: Of the file; a reader knows this one.
VERSION = 1

_MARK = "abacito_snapshot"
_GZIP = b"\x1f\x8b"  # RFC 1952, 2.3.1
_NONE = "it is no snapshot: abacito snapshot save writes one"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


#: An item as DynamoDB's API has it, of the types that ours are of; bytes in base64.
Record: TypeAlias = dict[str, dict[Literal["S", "N", "B", "BOOL"], str | bool]]


def _is_secret(item: Record) -> bool:
    return item.get("is_secret") == {"BOOL": True} and "S" in item.get("value", {})


def _keyed(item: Record) -> Record:
    if not all(isinstance(item.get(name, {}).get("S"), str) for name in ("pk", "sk")):
        raise ValueError("it has no pk and sk, which are texts")
    return item


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
    items: tuple[Annotated[Record, AfterValidator(_keyed)], ...]
    objects: dict[str, Base64Bytes]
    queues: dict[str, tuple[Letter, ...]]

    @property
    def has_secrets(self) -> bool:
        """Whether a config's value is encrypted."""
        return any(map(_is_secret, self.items))

    def with_secrets(self, changed: Callable[[str], str]) -> Self:
        """The same with each encrypted value so changed, and without a key for them."""
        items = (
            {**item, "value": {"S": changed(str(item["value"]["S"]))}} if _is_secret(item) else item
            for item in self.items
        )
        return self.model_copy(update={"items": tuple(items), "key": None})

    @property
    def tenants(self) -> set[str]:
        """Whose actors are in it."""
        enrolled = (item for item in self.items if item["pk"]["S"] == keys.REGISTER)
        return {keys.enrolled_tenant(str(item["sk"]["S"])) for item in enrolled}

    def to_bytes(self) -> bytes:
        """As a file: JSON, compressed, so that a part of it is not taken for the whole."""
        return gzip.compress(self.model_dump_json(exclude_none=True).encode(), mtime=0)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """From a file's. Raises Malformed for what is none, for a part of one, and for a newer one."""
        document = _document(data)
        version = document.get(_MARK) if isinstance(document, dict) else None
        if not isinstance(version, int):
            raise Malformed(_NONE)
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


def _document(data: bytes) -> Any:
    if not data.startswith(_GZIP):
        raise Malformed(_NONE)
    try:
        return from_json(gzip.decompress(data))
    except (EOFError, OSError, zlib.error) as error:
        raise Malformed("it is a part of a snapshot only, or damaged: save or copy it again") from error
    except ValueError as error:
        raise Malformed(_NONE) from error


class Snapshots:
    """What an engine holds of one emulator, as a file has it: one table, one bucket, the queues of its namespace."""

    def __init__(self, namespace: str, bucket_name: str) -> None:
        self._namespace, self._bucket_name = namespace, bucket_name

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

    def saved(self, contents: Contents, nothing: Saved) -> Saved:
        """A file's contents as an engine has them, beside the queues that an empty emulator has.

        Nothing of our own engine is touched. Raises Malformed for what an engine refuses.
        """
        apart = Engine()
        try:
            self._fill(apart, contents)
            found = apart.save()
        except (ClientError, ValueError) as error:
            raise Malformed(f"it is no snapshot, though it says so: {error}") from error
        finally:
            apart.close()
        return replace(found, queues={**nothing.queues, **found.queues})

    def _fill(self, engine: Engine, contents: Contents) -> None:
        dynamodb, s3 = engine.client("dynamodb"), engine.client("s3")
        Table(dynamodb, self._namespace).create()
        Bucket(s3, self._bucket_name).create()
        for item in contents.items:
            dynamodb.put_item(TableName=self._namespace, Item={name: _read(value) for name, value in item.items()})
        for key, value in contents.objects.items():
            s3.put_object(Bucket=self._bucket_name, Key=key, Body=value)
        queues = Queues(engine.client("sqs"))
        for name, letters in contents.queues.items():
            queues.create(self._prefix + name)
            engine.deliver(self._prefix + name, letters)

    def waiting(self, saved: Saved) -> int:
        """How many messages would be run from there on: those in mailboxes, and those that workers were about to.

        An execution that ran is none of them: without its container it is in ERROR.
        """
        letters = *_of(saved, keys.mailboxes(self._namespace)), *_of(saved, keys.events_name(self._namespace))
        return len(letters) + sum(1 for actor in self._rung(saved) if self._is_about_to(saved, actor))

    def _rung(self, saved: Saved) -> set[ActorKey]:
        """The actors that somebody was to look after."""
        return {ring_of(message.body).actor for message in _of(saved, keys.commands(self._namespace))}

    def _is_about_to(self, saved: Saved, actor: ActorKey) -> bool:
        items = saved.partition(self._namespace, keys.partition(actor))
        named = (item.get("execution", {}).get("S") for sk, item in items.items() if sk.startswith(keys.SLOT))
        places = (keys.execution(ExecutionKey(actor, execution))[1] for execution in named if execution)
        return any(items.get(place, {}).get("status") == {"S": str(ExecutionStatus.SUBMITTED)} for place in places)

    @property
    def _prefix(self) -> str:
        return keys.queues(self._namespace)

    def _items(self, saved: Saved) -> Iterator[Record]:
        for partition in saved.tables.get(self._namespace, {}).values():
            for item in partition.values():
                yield {name: _written(value) for name, value in item.to_json()["Attributes"].items()}


def _of(saved: Saved, prefix: str) -> Iterator[Message]:
    """All that is in the queues whose names begin so."""
    for name, (_, messages) in saved.queues.items():
        if name.startswith(prefix):
            yield from messages


def _letter(message: Message) -> Letter:
    return Letter(message.id, message.body, message.group_id, message.deduplication_id)


def _written(value: Mapping[Any, Any]) -> dict[Any, Any]:
    """As JSON can say it."""
    return {kind: b64encode(given).decode() if isinstance(given, bytes) else given for kind, given in value.items()}


def _read(value: Mapping[Any, Any]) -> dict[Any, Any]:
    return {kind: b64decode(given) if kind == "B" else given for kind, given in value.items()}
