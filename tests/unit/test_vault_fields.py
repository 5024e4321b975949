"""What is left of a value once it is masked, and which fields make sense."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from service.vault.fields import BUILT_IN, SUITS, FieldType, FieldUnusable, Masking, Name, mask

ADDRESS = {"lines": ["1 Elm St"], "locality": "Ulm", "region": None, "postcode": "89073", "country": "DE"}


@pytest.mark.parametrize(
    ("field", "value", "left"),
    [
        ("email", "ann@mail.example", "a•••@m•••.example"),
        ("phone", "+4930123456", "•••56"),
        ("name", "Ann Mary Ash", "A••• M••• A•••"),
        ("postal_address", ADDRESS, "DE 89•••"),
        ("birth_date", "1980-05-17", "1980-••-••"),
        ("national_id", "12345", "•••"),
        ("national_id", "1234567", "•••67"),
        ("free_text", "prefers mornings", "•••"),
        ("email", "a@mail.example", "•••@m•••.example"),
        ("email", "al@m.example", "•••@•••.example"),
        ("name", "X Ash", "••• A•••"),
        ("postal_address", ADDRESS | {"postcode": "89"}, "DE •••"),
        ("document", {"media_type": "application/pdf", "content": b"%PDF"}, "application •••"),
        ("document", {"media_type": "annash/diagnosis", "content": b"%PDF"}, "•••"),
    ],
)
def test_a_value_is_masked_by_the_rule_of_its_field(field, value, left):
    assert mask(BUILT_IN[field], value) == left


@given(st.text(min_size=7))
def test_a_masked_text_tells_no_more_than_two_characters_and_not_how_many_there_were(value):
    assert mask(BUILT_IN["national_id"], value) == f"•••{value[-2:]}"


def test_the_built_in_fields_make_sense():
    for field in BUILT_IN.values():
        field.check()


@pytest.mark.parametrize("kind", FieldType)
@pytest.mark.parametrize("masking", Masking)
def test_a_masking_that_does_not_suit_the_type_is_refused(kind, masking):
    field = replace(BUILT_IN["name"], type=kind, masking=masking)

    if kind in SUITS[masking]:
        field.check()
    else:
        with pytest.raises(FieldUnusable) as refused:
            field.check()
        assert refused.value.pointers == ("/masking",)


def test_a_text_can_not_be_looked_up():
    with pytest.raises(FieldUnusable):
        replace(BUILT_IN["name"], indexed=True).check()


@pytest.mark.parametrize("name", ["email", "email#work"])
def test_a_name_is_put_together_as_it_was(name):
    assert str(Name.of(name)) == name
