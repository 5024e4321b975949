"""Everything that is kept about one person, in one package: for machines, for spreadsheets and for the person."""

from service.packages.collecting import Collect, OpenAll, PackageWish
from service.packages.declared import NOTHING_DECLARED, Declared
from service.packages.domain import AccessPackage, Language
from service.packages.usecases import MakePackage

__all__ = [
    "NOTHING_DECLARED",
    "AccessPackage",
    "Collect",
    "Declared",
    "Language",
    "MakePackage",
    "OpenAll",
    "PackageWish",
]
