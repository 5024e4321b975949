"""What DROP asks to be hashed, and how: the published values, and what must hold of any."""

import hashlib
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.drop import standard
from service.drop.domain import List
from service.drop.people import MOST, Value, hashes

ANY = st.text(max_size=40)


def base64(text: str) -> str:
    """Hash as the lists have it, by other means than ours."""
    return b64encode(hashlib.new("sha256", text.encode("utf-8")).digest()).decode()


@pytest.mark.parametrize(
    ("said", "hashed"),
    [
        ("+1(415)555-9317", "vGM7y5n+hBXRSEAklhHDPCbysyNgYTmXdMcagGUOY8E="),
        ("+84(90)123 4567", "ptzVkgbv9DonwvPCHmXmJ2SEOaolSh37z3ZzY/Gmm+U="),
    ],
)
def test_numbers_hash_as_the_state_publishes_it(said, hashed):
    plain = standard.phone(said)

    assert plain is not None
    assert b64encode(standard.hashed(plain)).decode() == hashed


@pytest.mark.parametrize(
    ("standardise", "said", "plain"),
    [
        (standard.email, " A.b+C @Mail.\tExample\n", "a.b+c@mail.example"),
        (standard.email, " \t", None),
        (standard.phone, "555-9317", "5559317"),
        (standard.phone, "none", None),
        (standard.birth_date, "1980-05-17", "19800517"),
        (standard.birth_date, "19800517", "19800517"),
        (standard.birth_date, "17.5.1980", None),
        (standard.zip_code, "94105", "94105"),
        (standard.zip_code, "02115-1234", "2115"),
        (standard.zip_code, "021151234", "2115"),
        (standard.zip_code, "SW1A 1AA", "sw1a1"),
        (standard.zip_code, "000", None),
        (standard.name, "José-María", "josemaria"),
        (standard.name, "O’Brien 3rd", "obrien3rd"),
        (standard.name, "Иван", "ivan"),
        (standard.name, "Щербаков", "shcherbakov"),
        (standard.name, "Γιώργος", "giorgos"),
        (standard.name, "Ångström Łukasz Straße", "angstromlukaszstrasse"),
        (standard.name, "山田", "山田"),
        (standard.name, "…", None),
        (standard.maid, "AEBE52E7-03EE-455A-B3C4-E57283966239", "aebe52e703ee455ab3c4e57283966239"),
        (standard.maid, "AEBE52E7", None),
        (standard.vin, "1HGCM82633A-004352", "1hgcm82633a004352"),
        (standard.vin, "1HGCM82633A00435", None),
        (standard.ctvid, "ROKU-1234-abcd", "roku1234abcd"),
        (standard.ctvid, "short", None),
    ],
)
def test_each_kind_has_one_form(standardise, said, plain):
    assert standardise(said) == plain


def test_a_composite_is_the_hash_of_the_hashes_of_its_parts():
    parts = ("ada", "lovelace", "18151210", "94105")

    assert b64encode(standard.composite(*parts)).decode() == base64("".join(map(base64, parts)))
    assert standard.composite(*parts) != standard.composite(*reversed(parts))


EVERY = (
    standard.email,
    standard.phone,
    standard.zip_code,
    standard.name,
    standard.maid,
    standard.vin,
    standard.ctvid,
)


@pytest.mark.parametrize("standardise", EVERY)
@given(said=ANY)
def test_what_is_standard_stays_as_it_is(standardise, said):
    once = standardise(said)

    assert once is None or standardise(once) == once


@given(said=ANY)
def test_case_and_blanks_tell_no_two_addresses_apart(said):
    assert standard.email(said) == standard.email(f" {said} ")


@given(name=st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1))
def test_plain_letters_stay(name):
    assert standard.name(name) == standard.name(name.upper()) == name


def a(field: str, value: object, type_: str = "text") -> Value:
    return Value(field=field, type=type_, value=value)


ADDRESS = {"lines": ["1 Market St"], "locality": "San Francisco", "country": "US", "postcode": "94105-1234"}
PERSON = [
    a("name", "Ada King Lovelace"),
    a("birth_date", "1815-12-10", "date"),
    a("postal_address", ADDRESS, "address"),
    a("vin", "1HGCM82633A004352", "identifier"),
]


@pytest.mark.parametrize(("first", "last"), [("ada", "kinglovelace"), ("adaking", "lovelace"), ("ada", "lovelace")])
def test_a_whole_name_is_tried_with_every_last_name_it_may_have(first, last):
    found = hashes(PERSON)

    assert (List.NDZ, standard.composite(first, last, "18151210", "94105")) in found
    assert (List.NAME_VIN, standard.composite(first, last, "1hgcm82633a004352")) in found


def test_an_address_counts_whatever_its_field_is_called_and_a_device_for_what_it_can_be():
    found = hashes([
        a("email", "Ada@Mail.Example", "email"),
        a("work_phone", "+14155559317", "phone"),
        a("device_id", "AEBE52E7-03EE-455A-B3C4-E57283966239", "identifier"),
        a("national_id", "123456789", "identifier"),
    ])  # fmt: skip

    device = standard.hashed("aebe52e703ee455ab3c4e57283966239")
    assert found == {
        (List.EMAIL, standard.hashed("ada@mail.example")),
        (List.PHONE, standard.hashed("4155559317")),
        (List.MAID, device),
        (List.CTVID, device),
    }


@pytest.mark.parametrize("lacking", ["name", "birth_date", "postal_address"])
def test_a_composite_needs_every_part(lacking):
    found = hashes([value for value in PERSON if value.field != lacking])

    assert List.NDZ not in {list_ for list_, _ in found}


def test_of_many_names_and_addresses_some_are_tried():
    many = [a("name", " ".join("abcdefghij"[: at + 2])) for at in range(9)]
    codes = [a("zip", f"9{number:04}") for number in range(40)]

    found = hashes([*many, *codes, PERSON[1]])

    assert len([list_ for list_, _ in found if list_ is List.NDZ]) == MOST
