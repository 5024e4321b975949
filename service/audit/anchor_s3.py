"""Anchors in an object store that speaks S3: an object for each, which nobody overwrites. Needs the extra `aws`.

Give the bucket versions and an object lock (compliance), and whoever anchors the right to put and to read alone.
"""

from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from service.audit.anchors import anchor_in
from service.audit.findings import Kind, Wrong
from service.kernel import Clock, Unavailable

SCHEME: Final = "s3://"
LIMIT: Final = 10.0
"""Seconds for each attempt."""
_TAKEN: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})


class AnchorBucket:
    """Keeps each anchor at PREFIX/ORIGIN/SIZE.json, the size in twenty digits, so that names are in its order."""

    def __init__(self, client: Any, bucket: str, prefix: str, clock: Clock, lock_days: int | None) -> None:
        """With `lock_days`, the store refuses to everybody to remove an object for so long."""
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._clock = clock
        self._lock_days = lock_days

    @classmethod
    def open(cls, address: str, clock: Clock, lock_days: int | None) -> "AnchorBucket":
        """Return the bucket at s3://BUCKET/PREFIX, with credentials, region and endpoint of the environment.

        Raises:
            Unavailable: the environment lacks one of them.
        """
        place = urlsplit(address)
        limits = Config(connect_timeout=LIMIT, read_timeout=LIMIT, retries={"total_max_attempts": 3})
        try:
            client = boto3.client("s3", config=limits)
        except (BotoCoreError, ValueError) as error:
            raise Unavailable("the object store can't be reached with these settings") from error
        return cls(client, place.netloc, place.path.strip("/"), clock, lock_days)

    def last(self, origin: str) -> bytes | None:
        newest, after = None, {"StartAfter": self._folder(origin)}
        while True:
            page = self._ask("list_objects_v2", Prefix=self._folder(origin), Delimiter="/", **after)
            names = [each["Key"] for each in page.get("Contents", []) if each["Key"].endswith(".json")]
            newest = max([*names, *([newest] if newest else [])], default=None)
            if not page.get("IsTruncated"):
                break
            after = {"ContinuationToken": page["NextContinuationToken"]}
        if newest is None:
            return None
        content: bytes = self._ask("get_object", Key=newest)["Body"].read()
        line = content.removesuffix(b"\n")
        if anchor_in(line)[2].origin != origin:
            raise Wrong(Kind.FOREIGN, f"{newest} is about another log")
        return line

    def add(self, origin: str, size: int, line: bytes) -> None:
        locked: dict[str, datetime | str] = {}
        if self._lock_days is not None:
            until = self._clock() + timedelta(days=self._lock_days)
            locked = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}
        name = f"{self._folder(origin)}{size:020}.json"
        try:
            self._ask("put_object", Key=name, Body=line, IfNoneMatch="*", ContentType="application/json", **locked)
        except _Taken:
            raise Wrong(Kind.FORK, f"{name} is there already") from None

    def _folder(self, origin: str) -> str:
        return f"{self._prefix}{origin}/"

    def _ask(self, operation: str, **what: Any) -> Any:
        try:
            return getattr(self._client, operation)(Bucket=self._bucket, **what)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _TAKEN:
                raise _Taken from None
            raise Unavailable(f"the object store says {code}") from None
        except BotoCoreError as error:
            raise Unavailable(f"the object store does not answer: {type(error).__name__}") from None


class _Taken(Exception):
    """There is an object of this name."""
