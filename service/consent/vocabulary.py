"""The words of records: closed lists of the law, and what policy data says about them."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final

from msgspec import Struct

from service.kernel import exactly


class Channel(StrEnum):
    """A way to reach or profile a person. `phone` is a live call, `phone_auto` a robocall or artificial voice."""

    EMAIL = "email"
    SMS = "sms"
    MESSAGING_APP = "messaging_app"
    PUSH = "push"
    IN_APP = "in_app"
    WEB = "web"
    ADS = "ads"
    PHONE = "phone"
    PHONE_AUTO = "phone_auto"
    FAX = "fax"
    POST = "post"
    SOCIAL_DM = "social_dm"


ANY: Final = "any"
"""The channel, and the purpose, of acts whose record said `any` or `all`."""


class RecordChannel(StrEnum):
    """What a record can say that has no list of channels. `any` and `all` name none of their own.

    A trap: as a pattern this would be shorter, but msgspec 0.22 corrupts memory when a
    union holds a string with a pattern and an array, as a record's `channel` does.
    """

    EMAIL = "email"
    SMS = "sms"
    MESSAGING_APP = "messaging_app"
    PUSH = "push"
    IN_APP = "in_app"
    WEB = "web"
    ADS = "ads"
    PHONE = "phone"
    PHONE_AUTO = "phone_auto"
    FAX = "fax"
    POST = "post"
    SOCIAL_DM = "social_dm"
    ANY = "any"
    ALL = "all"


class Purpose(StrEnum):
    """What one may ask for. A tenant's own purpose maps onto one of these."""

    MARKETING = "marketing"
    PARTNER_MARKETING = "partner_marketing"
    FUNDRAISING = "fundraising"
    SURVEY = "survey"
    PERSONALIZATION = "personalization"
    PROFILING = "profiling"
    ADM = "adm"
    ANALYTICS = "analytics"
    EMAIL_TRACKING = "email_tracking"
    TARGETED_ADS = "targeted_ads"
    SALE_SHARE = "sale_share"
    SENSITIVE_USE = "sensitive_use"
    POLITICAL_ADS = "political_ads"
    RECONSENT = "reconsent"
    DOI_CONFIRMATION = "doi_confirmation"
    OPTOUT_CONFIRMATION = "optout_confirmation"
    FIP_ENROLMENT = "fip_enrolment"
    SERVICE = "service"
    SECURITY = "security"
    SUPPORT = "support"
    LEGAL_NOTICE = "legal_notice"
    DSR_RESPONSE = "dsr_response"


OF_RECORDS_ONLY: Final = ("contract", "donation", "product_safety", "collection", "any", "all")
_TENANT: Final = "x-[a-z0-9-]{1,60}"
_KNOWN: Final = "|".join(Purpose)

PurposeName = Annotated[str, exactly(f"({_KNOWN}|{_TENANT})")]
"""A purpose that can be asked for: a known word, or the tenant's own."""

RecordPurpose = Annotated[str, exactly(f"({_KNOWN}|{'|'.join(OF_RECORDS_ONLY)}|{_TENANT})")]
"""A purpose that a record can name."""


def is_tenant_purpose(purpose: str) -> bool:
    return purpose.startswith("x-")


class Action(StrEnum):
    """What happened. What follows from it is policy."""

    OPT_IN = "opt_in"
    OPT_IN_PENDING = "opt_in_pending"
    OPT_OUT = "opt_out"
    DECLINED_OPT_IN = "declined_opt_in"
    OBJECT = "object"
    COMPLAINT = "complaint"
    REFUSED_IN_CALL = "refused_in_call"
    OPT_IN_SALE = "opt_in_sale"
    OPT_OUT_SALE = "opt_out_sale"
    LIMIT = "limit"
    GPC = "gpc"
    DROP_LISTED = "drop_listed"
    DROP_UNVERIFIED = "drop_unverified"
    PURCHASE = "purchase"
    INQUIRY = "inquiry"
    SUPPORT_GIVEN = "support_given"
    FREE_ACCOUNT = "free_account"
    BASKET_ABANDONED = "basket_abandoned"
    PUBLISHED_ADDRESS = "published_address"
    COLLECTED = "collected"
    CALL_ATTEMPT = "call_attempt"
    PARENTAL_CONSENT = "parental_consent"
    RESTRICT = "restrict"
    UNRESTRICT = "unrestrict"
    CONSENT_DURING_RESTRICTION = "consent_during_restriction"
    ERASE_REQUEST = "erase_request"
    ERASED = "erased"
    ADM_OPT_OUT = "adm_opt_out"
    DNC_LISTED = "dnc_listed"
    OS_PERMISSION = "os_permission"
    FIP_WITHDRAWAL_NOT_AFFIRMED = "fip_withdrawal_not_affirmed"


class Vocabulary(Struct, frozen=True, kw_only=True):
    """What policy data says about actions and methods, and how many acts a state keeps.

    A state is a fold under one vocabulary. When the classes or bounds change, states
    are rebuilt from the records (`volens state rebuild`).
    """

    refusals: frozenset[str]
    """Actions that a bound never drops, and that count although they are dated later than the question."""
    attempts: frozenset[str]
    """Actions that are only counted: the latest few instants are kept."""
    permissions: frozenset[str]
    """Actions by which somebody agrees, or by which what they refused is lifted."""
    classes: Mapping[str, str]
    prefixes: Mapping[str, str]
    answered_by: Mapping[str, frozenset[str]] = {}
    """Actions whose records may end, each with the refusals that answer it. Of all others none ever does."""
    permissions_kept: int
    refusals_kept: int
    attempts_kept: int

    def method_class(self, method: str | None) -> str | None:
        """Return what kind of act the method is; ``unlisted`` for a word policy data doesn't have."""
        if method is None:
            return None
        if (listed := self.classes.get(method)) is not None:
            return listed
        return next((kind for prefix, kind in self.prefixes.items() if method.startswith(prefix)), "unlisted")

    @classmethod
    def of(
        cls, actions: Mapping[str, Any], methods: Mapping[str, Any], keeping: Sequence[Mapping[str, Any]] = ()
    ) -> "Vocabulary":
        """Read the data documents `actions`, `methods` and `keeping` of the policy; one of before has no `keeping`.

        The state of a restriction or an erasure is kept like a refusal; what lifts it,
        and every action that is listed nowhere, like a permission: losing the oldest is safe.
        """
        lifts = {*actions["permissions"], *actions["relations"], Action.UNRESTRICT}
        bounds = actions["bounds"]
        return cls(
            refusals=frozenset({*actions["refusals"], *actions["state"]} - lifts),
            attempts=frozenset(actions["attempts"]),
            permissions=frozenset({*actions["permissions"], Action.UNRESTRICT}),
            classes=dict(methods["classes"]),
            prefixes=dict(sorted(methods["prefixes"].items())),
            answered_by={action: frozenset(row["answered_by"]) for row in keeping for action in row["actions"]},
            permissions_kept=bounds["permissions"],
            refusals_kept=bounds["refusals"],
            attempts_kept=bounds["attempts"],
        )
