"""What the caller declares about the message, the sender and the use.

The words are those of the law's catalogue. A field that is missing or null is
unknown. An enumerated value that nobody knows is kept here and becomes `other`
in the facts, which every rule treats as the strictest of its kind.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

from service.kernel import IdentifierId, Instant, exactly

Word = Annotated[str, Meta(min_length=1, max_length=100)]
"""A value of an enumeration, or a name that is only compared."""

Country = Annotated[str, exactly("[A-Z]{2}(-[A-Z0-9]{1,3})?")]
Words = Annotated[list[Word], Meta(max_length=50)]
ZoneNames = Annotated[list[Word], Meta(max_length=12)]
"""As many as the largest country has. Each one is asked about at each of its hours."""
Count = Annotated[int, Meta(ge=0, le=1_000_000)]
FreeText = Annotated[str, Meta(max_length=1000)]


class Switches(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Choices of the tenant that the law leaves open."""

    honour_gpc_everywhere: bool | None = None


class Context(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Declared facts. Closed: a misspelt protection must not pass for an absent one."""

    content: Word | None = None
    message: Word | None = None
    subject_line: FreeText | None = None
    """Never looked at, stored or passed on: it may hold anything."""
    topic: Word | None = None
    product: FreeText | None = None
    similar_product: bool | None = None
    same_seller: bool | None = None
    optout_in_message: bool | None = None
    sender_identified: bool | None = None
    postal_address_present: bool | None = None
    notice: Word | None = None
    requested_by_subject: bool | None = None
    open_order: bool | None = None
    necessary_for_contract: bool | None = None
    related_to_current_contract: bool | None = None
    exempt_informational: bool | None = None
    marketing_related: bool | None = None
    genuine_research: bool | None = None
    address: IdentifierId | None = None
    """The id of an identifier, never an address."""
    brand: Word | None = None
    programme: Word | None = None

    sender: Word | None = None
    sender_is_charity: bool | None = None
    sole_charitable_purpose: bool | None = None
    sender_is_data_broker: bool | None = None
    controller_established: Country | None = None
    targets_eu: bool | None = None
    automated: bool | None = None
    ai_voice: bool | None = None
    bulk: bool | None = None
    mailbox_provider: Word | None = None
    wireless_domain: bool | None = None
    processor_country: Country | None = None
    transfer_mechanism: Word | None = None
    approved_at: Instant | None = None
    plausible_time_zones: ZoneNames | None = None

    basis_claimed: Word | None = None
    lia_on_file: bool | None = None
    informed_at_collection: bool | None = None
    notice_given: bool | None = None
    notice_at_collection: bool | None = None
    notice_right_to_limit: bool | None = None
    purpose_disclosed: bool | None = None
    current_notice_version: Word | None = None
    material_change_since: Words | None = None
    relevant_to_role: bool | None = None
    related_to_profession: bool | None = None
    presumed_interest_facts: bool | None = None
    prior_confirmation_mails: Count | None = None
    prior_confirmation_texts: Count | None = None
    reconsent_for: Word | None = None
    fin_notice: bool | None = None

    special_category: Word | None = None
    sensitive: Word | None = None
    use: Word | None = None
    data_source: Word | None = None
    profiled: bool | None = None
    first_party_only: bool | None = None
    recipient: Word | None = None
    third_party_contract: bool | None = None
    direct_relationship: bool | None = None
    custom_audience_upload: bool | None = None
    consumer_initiated_transaction_requires_sale: bool | None = None
    information_society_service: bool | None = None
    child_directed: bool | None = None
    online_platform: bool | None = None
    solely_automated: bool | None = None
    significant_effect: bool | None = None
    decision: Word | None = None
    safeguards: Words | None = None
    human_appeal_exception: bool | None = None

    policy: Switches | None = None


COMPARED: Final = frozenset(
    {
        "address",
        "approved_at",
        "brand",
        "controller_established",
        "current_notice_version",
        "material_change_since",
        "plausible_time_zones",
        "programme",
        "recipient",
        "sender",
        "subject_line",
    }
)
"""Fields that never enter the facts as they stand; all but `subject_line` enter as comparisons."""
