"""moto's S3 with bucket names that are one account's own."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC
from typing import Any, TypeAlias

from botocore.response import StreamingBody
from moto.s3.exceptions import BucketAlreadyExists, InvalidBucketName, MissingBucket
from moto.s3.models import MAX_BUCKET_NAME_LENGTH, MIN_BUCKET_NAME_LENGTH, FakeBucket, S3Backend, s3_backends

_PLAIN_KEY = re.compile(r"[\w.-]+(/[\w.-]+)*", re.ASCII)
PLAIN_OBJECT = {"PutObject": {"Bucket", "Key", "Body"}, "GetObject": {"Bucket", "Key"}}

#: An object's tag, by which equal ones are known, and its bytes.
SavedObject: TypeAlias = tuple[str, bytes]


class OwnS3(S3Backend):
    """moto's S3, but its buckets' names are its own: moto's are taken for all accounts alike."""

    def create_bucket(self, bucket_name: str, region_name: str, bucket_namespace: str | None = None) -> FakeBucket:
        """Make the bucket. Raises BucketAlreadyExists, InvalidBucketName."""
        if bucket_name in self.buckets:
            raise BucketAlreadyExists(bucket=bucket_name)
        if not MIN_BUCKET_NAME_LENGTH <= len(bucket_name) <= MAX_BUCKET_NAME_LENGTH:
            raise InvalidBucketName
        with _kept(s3_backends.bucket_accounts, bucket_name):  # where a bucket writes itself down when it is made
            bucket = FakeBucket(bucket_name, self.account_id, region_name, bucket_namespace=bucket_namespace)  # type: ignore[abstract]
        self.buckets[bucket_name] = bucket
        return bucket

    def get_bucket(self, bucket_name: str) -> FakeBucket:
        """The bucket. Raises MissingBucket."""
        if bucket_name not in self.buckets:
            raise MissingBucket(bucket=bucket_name)
        return self.buckets[bucket_name]

    def saved(self) -> dict[str, dict[str, SavedObject]]:
        """Each bucket's objects now, as they were put."""
        return {name: {key: (found.etag, found.value) for key, found in bucket.keys.items()}
                for name, bucket in self.buckets.items()}  # fmt: skip

    def go_back(self, saved: Mapping[str, Mapping[str, SavedObject]]) -> None:
        """Have just these objects in the buckets that there are."""
        for name, bucket in self.buckets.items():
            wanted = saved.get(name, {})
            for key in [key for key in bucket.keys if key not in wanted]:
                bucket.keys.pop(key)
            for key, (etag, value) in wanted.items():
                found = bucket.keys.get(key)
                if found is None or found.etag != etag:
                    self.put_object(name, key, value)

    def answer_plainly(self, operation: str, asked: dict[str, Any]) -> dict[str, Any] | None:
        """Put or get an object as it is, in a bucket without rules; None, and nothing is done, for all else."""
        bucket = self.buckets.get(asked.get("Bucket", ""))
        is_plain = bucket is not None and not (bucket.is_versioned or bucket.encryption or bucket.policy)
        if not (is_plain and _PLAIN_KEY.fullmatch(asked.get("Key", "")) and asked.keys() == PLAIN_OBJECT[operation]):
            return None
        return self._put(**asked) if operation == "PutObject" else self._get(**asked)

    def _put(self, Bucket: str, Key: str, Body: Any) -> dict[str, Any] | None:  # noqa: N803 # boto3's names
        if not isinstance(Body, bytes):
            return None
        key = self.put_object(Bucket, Key, Body)
        key.set_acl(self.get_bucket(Bucket).acl)
        self.tagger.delete_all_tags_for_resource(key.arn)
        return {"ETag": key.etag}

    def _get(self, Bucket: str, Key: str) -> dict[str, Any] | None:  # noqa: N803 # as above
        key = self.get_object(Bucket, Key)
        if key is None or set(key.metadata) != {"content-type"}:
            return None
        about = {"ETag": key.etag, "LastModified": key.last_modified.replace(microsecond=0, tzinfo=UTC), "Metadata": {}}
        body = StreamingBody(io.BytesIO(key.value), key.size)
        kind = key.metadata["content-type"]
        return {"Body": body, "ContentLength": key.size, "ContentType": kind, "AcceptRanges": "bytes", **about}

    def delete_bucket(self, bucket_name: str) -> FakeBucket | None:
        """Remove the bucket; None when something is in it."""
        with _kept(s3_backends.bucket_accounts, bucket_name):
            return super().delete_bucket(bucket_name)


@contextmanager
def _kept(names: dict[str, Any], name: str) -> Iterator[None]:
    """Whatever is done to that entry meanwhile, it stays as it was."""
    absent = object()
    before = names.get(name, absent)
    try:
        yield
    finally:
        names.pop(name, None)
        if before is not absent:
            names[name] = before
