"""Names in the letters a to z: what the lists of DROP ask for before a name is hashed.

The state names the steps (its API document 1.2.0, "Standardization Rules"): normalise, lower-case, transliterate
"supported" Greek and Cyrillic letters, fold "supported" Latin ones, and keep letters and digits. It publishes no table
of them. This one is the plain romanisation of passports without its exceptions; where the state's differs, the two
hashes differ, and a name isn't found: nobody else is found in its place.
"""

import unicodedata
from typing import Final

_PAIRS: Final = """
    αa βv γg δd εe ζz ηi θth ιi κk λl μm νn ξx οo πp ρr σs ςs τt υy φf χch ψps ωo
    аa бb вv гg дd еe ёe жzh зz иi йy кk лl мm нn оo пp рr сs тt уu фf хkh цts чch шsh щshch ъ ыy ь эe юyu яya
    іi їyi єye ґg ђdj јj љlj њnj ћc џdz ѓg ќk ўu ѕdz
    ßss æae œoe øo đd ðd łl þth ıi ħh ŋn ŧt ĸk ſs
"""
_TABLE: Final = {pair[0]: pair[1:] for pair in _PAIRS.split()}
_FOLDED: Final = ("LATIN", "GREEK", "CYRILLIC")
"""The scripts whose letters lose their marks. Of others a mark may tell two letters apart."""


def plain(name: str) -> str:
    """Return a name as the lists have it: empty if it has no letter and no digit."""
    lowered = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).lower())
    return "".join(piece for letter in lowered for piece in _pieces(letter))


def _pieces(letter: str) -> str:
    if letter in _TABLE:
        return _TABLE[letter]
    if letter.isascii() or not unicodedata.name(letter, "").startswith(_FOLDED):
        return letter if letter.isalnum() else ""
    base = unicodedata.normalize("NFD", letter)[0]
    return _TABLE.get(base, base if base.isalnum() else "")
