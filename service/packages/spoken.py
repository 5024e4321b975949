"""Which of the languages of a package people are likely to read, by where they live."""

from collections.abc import Mapping
from typing import Final

from service.packages.domain import Language

_SPOKEN: Final[Mapping[Language, str]] = {
    Language.AR: "AE BH DJ DZ EG EH IQ JO KM KW LB LY MA MR OM PS QA SA SD SO SY TD TN YE",
    Language.BE: "BY",
    Language.DE: "AT CH DE LI",
    Language.ES: "AR BO CL CO CR CU DO EC ES GQ GT HN MX NI PA PE PR PY SV UY VE",
    Language.FR: "BF BJ CA-QC CD CF CG CI FR GA GF GN GP LU MC MG ML MQ NC NE PF PM RE SN TG WF YT",
    Language.HU: "HU",
    Language.PL: "PL",
    Language.ZH: "CN HK MO TW",
}
_IN: Final = {place: language for language, places in _SPOKEN.items() for place in places.split()}


def spoken_in(residence: str | None) -> Language:
    """Return the language for a place (ISO 3166-1 or -2): English where there is none of theirs."""
    country = (residence or "").partition("-")[0]
    return _IN.get(residence or "", _IN.get(country, Language.EN))
