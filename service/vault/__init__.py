"""Personal data, under one key per person. The only slice that ever sees plaintext."""

from service.vault.domain import SubjectErased, Unreadable
from service.vault.ports import KeyStore

__all__ = ["KeyStore", "SubjectErased", "Unreadable"]
