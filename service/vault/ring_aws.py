"""A key ring in AWS KMS: the root key never leaves it. Needs the extra `aws`.

The context of a key travels as the encryption context, which AWS also writes into its own log. What
is called a version here is the ARN of a KMS key: AWS renews the material inside one, keeps all of it, and
names none in what it encrypts. To move to another KMS key, point the alias there.

Which keys may decrypt is for the IAM policy to say: it must name them one by one.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from service.vault.domain import KeyContext, RingUnavailable, Unreadable, Wrapped
from service.vault.ring_calls import LIMIT, RingCalls, RingLost

RING: Final = "aws-kms"

_DOES_NOT_OPEN: Final = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})
_PASSING: Final = frozenset(
    {
        "DependencyTimeoutException",
        "KMSInternalException",
        "KeyUnavailableException",
        "LimitExceededException",
        "ThrottlingException",
        "RequestTimeout",
    }
)


class _NoSuchKey(RingUnavailable):
    """AWS says that there is no key of this name."""


class AwsRing:
    """Wraps by the KMS key `name`: an ARN, an id or ``alias/…``."""

    def __init__(self, client: Any, name: str, calls: RingCalls) -> None:
        self._client = client
        self._name = name
        self._calls = calls

    @classmethod
    def open(cls, name: str, *, endpoint: str | None = None, calls: RingCalls | None = None) -> "AwsRing":
        """Return the ring with the credentials and the region of the environment. Asks nothing yet.

        Raises:
            RingUnavailable: the environment names no region.
        """
        limits = Config(connect_timeout=LIMIT, read_timeout=LIMIT, retries={"total_max_attempts": 1})
        try:
            client = boto3.client("kms", endpoint_url=endpoint, config=limits)
        except (BotoCoreError, ValueError) as error:
            raise RingUnavailable("AWS KMS can't be reached with these settings") from error
        return cls(client, name, calls or RingCalls())

    async def wrap(self, key: bytes, context: KeyContext) -> Wrapped:
        answer = await self._ask(
            self._client.encrypt, KeyId=self._name, Plaintext=key, EncryptionContext=context.bound()
        )
        return Wrapped(ring=RING, version=answer["KeyId"], body=answer["CiphertextBlob"])

    async def unwrap(self, wrapped: Wrapped, context: KeyContext) -> bytes:
        if wrapped.ring != RING or not wrapped.body:
            raise Unreadable("the key does not open")
        answer = await self._ask(
            self._client.decrypt,
            KeyId=wrapped.version,
            CiphertextBlob=wrapped.body,
            EncryptionContext=context.bound(),
        )
        return bytes(answer["Plaintext"])

    async def check(self) -> None:
        if not (await self._key())["Enabled"]:
            raise RingUnavailable("the key ring's key is disabled")

    async def current(self) -> str:
        return str((await self._key())["Arn"])

    async def knows(self, version: str) -> bool:
        try:
            found = await self._ask(self._client.describe_key, KeyId=version)
        except _NoSuchKey:
            return False
        return bool(found["KeyMetadata"]["Enabled"])

    async def rotate(self) -> str:
        """Have AWS renew the material of the key. Its ARN stays, and with it the version."""
        arn = await self.current()
        await self._ask(self._client.rotate_key_on_demand, KeyId=arn)
        return arn

    async def _key(self) -> dict[str, Any]:
        found = await self._ask(self._client.describe_key, KeyId=self._name)
        return dict(found["KeyMetadata"])

    async def _ask(self, operation: Callable[..., Any], **what: Any) -> Any:
        async def attempt() -> Any:
            # boto3 blocks. Its own time-outs end the thread, should ours end the waiting first.
            try:
                return await asyncio.to_thread(operation, **what)
            except ClientError as error:
                raise _meant(error) from None
            except BotoCoreError:  # no connection, no credentials; what it says may quote a parameter
                raise RingLost from None

        return await self._calls(attempt)


def _meant(error: ClientError) -> Exception:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    if code in _DOES_NOT_OPEN:
        return Unreadable("the key does not open")
    if code in _PASSING or status >= 500:
        return RingLost()
    if code == "NotFoundException":
        return _NoSuchKey("the key ring has no such key")
    return RingUnavailable("the key ring turns us away")
