"""S3: what is too long for an item."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Bucket:
    """One bucket of texts and bytes."""

    def __init__(self, client: S3Client, name: str) -> None:
        self._client, self._name = client, name

    def create(self) -> None:
        """Make the bucket, if it is not ours already."""
        try:
            self._client.create_bucket(Bucket=self._name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
                raise

    def put(self, key: str, text: str) -> None:
        """Write an object; the same key again replaces it."""
        self.put_bytes(key, text.encode())

    def put_bytes(self, key: str, data: bytes) -> None:
        """The same with bytes."""
        self._client.put_object(Bucket=self._name, Key=key, Body=data)

    def get(self, key: str) -> str | None:
        """The object's text; None when there is none."""
        data = self.get_bytes(key)
        return None if data is None else data.decode()

    def get_bytes(self, key: str) -> bytes | None:
        """The object's bytes; None when there is none."""
        try:
            return self._client.get_object(Bucket=self._name, Key=key)["Body"].read()
        except self._client.exceptions.NoSuchKey:
            return None

    def delete_before(self, prefix: str, key: str) -> int:
        """Remove the objects whose keys begin with ``prefix`` and sort before ``key``; how many."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=prefix)
        count = 0
        for found in (each["Key"] for page in pages for each in page.get("Contents", ())):
            if found >= key:
                break
            self.delete(found)
            count += 1
        return count

    def delete(self, key: str) -> None:
        """Remove the object, if it is there."""
        self._client.delete_object(Bucket=self._name, Key=key)
