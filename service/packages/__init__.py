"""Everything that is kept about one person, in one package: for machines, for spreadsheets and for the person."""

from service.packages.asking import AskForPackage, DropPackage, ReadPackage
from service.packages.collecting import Collect, OpenAll, PackageWish
from service.packages.declared import NOTHING_DECLARED, Declared
from service.packages.domain import AccessPackage, Language
from service.packages.fetching import FetchPackage
from service.packages.usecases import MakePackage, WritePackage

__all__ = [
    "NOTHING_DECLARED",
    "AccessPackage",
    "AskForPackage",
    "Collect",
    "Declared",
    "DropPackage",
    "FetchPackage",
    "Language",
    "MakePackage",
    "OpenAll",
    "PackageWish",
    "ReadPackage",
    "WritePackage",
]
