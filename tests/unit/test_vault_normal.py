"""What is taken for a value without asking the library is what the library says too."""

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from service.vault import normal
from service.vault.fields import FieldType
from service.vault.values import ValueRefused

WORDS = st.text("abyzABYZ09", min_size=1, max_size=8)
LABELS = st.text("abyz09", min_size=1, max_size=8)
LAST = ["com", "example", "museum", "xn", "test", "local", "localhost", "invalid", "arpa", "onion", "q", "1a"]
ADDRESSES = st.builds(
    lambda words, sign, labels, last: f"{sign.join(words)}@{'.'.join([*labels, last])}",
    st.lists(WORDS, min_size=1, max_size=4),
    st.sampled_from("._+-"),
    st.lists(LABELS, min_size=1, max_size=3),
    st.sampled_from(LAST),
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(ADDRESSES)
@example("a@b.test")
@example("a.b+c-d_e@1.2.example")
@example(f"{'a' * 64}@mail.example")
@example(f"{'a' * 65}@mail.example")
@example(f"a@{'b' * 64}.example")
def test_a_plain_address_is_what_the_library_makes_of_it(address):
    try:
        told = validate_email(address, check_deliverability=False, strict=True).normalized
    except EmailNotValidError:
        with pytest.raises(ValueRefused):
            normal.normalised(FieldType.EMAIL, address)
    else:
        assert normal.normalised(FieldType.EMAIL, address) == told


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@pytest.mark.parametrize("kind", FieldType)
@given(value=st.text(max_size=20) | st.integers() | st.none() | st.dictionaries(st.text(), st.text(), max_size=2))
def test_whatever_comes_is_refused_or_kept_in_a_spelling_that_stays(kind, value):
    try:
        kept = normal.normalised(kind, value)
    except ValueRefused:
        return
    assert normal.normalised(kind, kept) == kept


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (FieldType.EMAIL, f"{'a' * 65}@mail.example"),
        (FieldType.EMAIL, f"{'é' * 33}@mail.example"),
        (FieldType.EMAIL, "a\u200bnn@mail.example"),
        (FieldType.EMAIL, "\uff41nn@mail.example"),
        (FieldType.EMAIL, "\ufb01n@mail.example"),
        (FieldType.IDENTIFIER, "12\u200b345"),
        (FieldType.IDENTIFIER, "12\u202e345"),
        (FieldType.IDENTIFIER, "12\ufeff345"),
        (FieldType.IDENTIFIER, "\u2060"),
    ],
)
def test_what_looks_like_another_value_is_refused(kind, value):
    with pytest.raises(ValueRefused) as refused:
        normal.normalised(kind, value)
    assert refused.value.pointers == ("/value",)


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        (FieldType.IDENTIFIER, "\uff11\uff12\u00a0\uff21\uff22", "12 AB"),
        (FieldType.PHONE, "\uff0b49 30\u200b123456", "+4930123456"),
        (FieldType.EMAIL, "e\u0301a@mail.example", "\xe9a@mail.example"),
        (FieldType.TEXT, "\u0646\u0645\u06cc\u200c\u062e", "\u0646\u0645\u06cc\u200c\u062e"),
    ],
)
def test_what_has_several_spellings_is_kept_in_one(kind, value, kept):
    assert normal.normalised(kind, value) == kept
