"""Signs what a processor of OpenDSR says: RSA with SHA-256, by the key of the operator's own certificate."""

from base64 import b64encode

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from service.doors.ports import Signs


class KeyUnusable(Exception):
    """The key is none that this certificate has. Says nothing of either."""


def signs(pem: bytes) -> Signs:
    """Return what signs by the private key in `pem`, which has no password.

    Raises:
        KeyUnusable
    """
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError):
        raise KeyUnusable("the file holds no private key without a password") from None
    if not isinstance(key, RSAPrivateKey):
        raise KeyUnusable("the key is no RSA key")

    def sign(body: bytes) -> str:
        return b64encode(key.sign(body, PKCS1v15(), SHA256())).decode()

    return sign
