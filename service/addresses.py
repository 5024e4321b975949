"""What an address in the settings has to look like."""

from base64 import b64decode
from urllib.parse import urlsplit

_SECRET_BYTES = range(24, 65)
"""How long the secret of a webhook is, as Standard Webhooks want it."""


def is_mail_server(url: str) -> bool:
    try:
        address = urlsplit(url)
        return bool(address.scheme in {"smtp", "smtps"} and address.hostname and address.port != 0)
    except ValueError:  # a port that is no number
        return False


def is_webhook_secret(text: str) -> bool:
    try:
        return text.startswith("whsec_") and len(b64decode(text.removeprefix("whsec_"), validate=True)) in _SECRET_BYTES
    except ValueError:
        return False


def is_web_address(url: str) -> bool:
    try:
        address = urlsplit(url)
        return bool(address.scheme in {"http", "https"} and address.hostname and address.port != 0)
    except ValueError:  # a port that is no number
        return False


def is_safe(url: str) -> bool:
    """Return whether keys may travel to `url`."""
    try:
        address = urlsplit(url)
        local = address.hostname in {"localhost", "127.0.0.1", "::1"}
        return bool(
            address.hostname and address.port != 0 and address.scheme in ({"https", "http"} if local else {"https"})
        )
    except ValueError:  # a port that is no number
        return False


def is_opa_address(url: str) -> bool:
    try:
        address = urlsplit(url)
        return bool(
            address.scheme in {"http", "https"} and address.hostname and address.port != 0 and address.path in {"", "/"}
        )
    except ValueError:  # a port that is no number
        return False
