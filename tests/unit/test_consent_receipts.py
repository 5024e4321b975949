"""What a receipt says of a record, and what it must not say."""

import json
import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from service.consent import Notice, NoticeContent, OwnPurpose, StoredRecord
from service.consent.receipts import CONTEXT, PURPOSES, SENSITIVE, STATUS, Told, content, shown
from service.consent.vocabulary import Action, Channel, Purpose
from service.kernel import Handle, TenantId
from tests.builders import DAY, NOON, a_statement

DATA = Path(__file__).parents[2] / "policies" / "data"
TERMS = json.loads((DATA / "terms.json").read_text())
METHODS = json.loads((DATA / "methods.json").read_text())
DPV = {
    "ConsentGiven", "ConsentRefused", "ConsentRequested", "ConsentUnknown", "ConsentWithdrawn", "ObjectingToProcess",
    "OptingOutFromProcess",
    "Advertising", "CommunicationForCustomerCare", "CommunicationManagement", "DirectMarketing", "Personalisation",
    "Purpose", "TargetedAdvertising",
    "Consent", "ConsentNotice", "ConsentReceipt", "DataController", "DataSubject", "ExplicitlyExpressedConsent",
    "ParentOfDataSubject", "PersonalData", "Process", "Recipient", "UntilTimeDuration",
    "hasConsentStatus", "hasDataController", "hasDataSubject", "hasDuration", "hasIdentifier", "hasIndicationMethod",
    "hasLegalBasis", "hasName", "hasNotice", "hasPersonalData", "hasProcess", "hasPurpose", "hasRecipient",
    "isIndicatedAtTime", "isIndicatedBy",
}  # fmt: skip
"""Terms of DPV 2.3 that a receipt may use, spelled as there."""
LOADED = {
    "named_controllers": ["ShopCo"],
    "named_recipients": ["MailCo"],
    "data_categories": ["health", "purchases"],
    "explicit": True,
    "expires_at": "2027-11-21T12:00:00Z",
}


def a_stored(**changes: Any) -> StoredRecord:
    return StoredRecord(
        id=UUID("01939b66-7c11-7d7a-b6a0-2f1d5b2f9a01"),
        handle=Handle(UUID("01939b66-7c11-7d7a-b6a0-2f1d5b2f9a99")),
        received_at=NOON,
        statement=a_statement(**changes),
    )


def a_notice(notice: str = "newsletter", **changes: Any) -> Notice:
    at = changes.pop("created_at", NOON - DAY)
    said = {
        "notice": notice,
        "version": "v3",
        "texts": {"de": "Ja."},
        "purposes": ("marketing",),
        "channels": (Channel.EMAIL,),
        "controllers": ("ShopCo",),
        "material_change": False,
        **changes,
    }
    stored = NoticeContent(**said)
    return Notice(content=stored, sha256=stored.sha256(), created_at=at)


def told(record: StoredRecord, notice: Notice | None = None, own: OwnPurpose | None = None) -> dict[str, Any]:
    return content(Told(tenant=TenantId("acme"), record=record, notice=notice, own_purpose=own), "volens.example/acme")


def terms(node: Any) -> set[str]:
    """Return every prefixed name in a document, but not in what is plain JSON."""
    if isinstance(node, dict):
        inner = [value for name, value in node.items() if name not in ("@context", "volens:statement")]
        return {name for name in node if ":" in name}.union(*map(terms, inner))
    if isinstance(node, list):
        return set[str]().union(*map(terms, node))
    return {node} if isinstance(node, str) and re.fullmatch(r"dpv:\w+", node) else set()


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("purpose", ["marketing", "targeted_ads", "survey", "all", None])
def test_every_term_is_one_of_dpv_and_every_prefix_is_in_the_context(action: Action, purpose: str | None):
    said = terms(told(a_stored(action=action.value, purpose=purpose, **LOADED), a_notice()))

    assert {term.partition(":")[0] for term in said} <= CONTEXT.keys()
    assert {term[4:] for term in said if term.startswith("dpv:")} <= DPV


def test_every_word_that_is_mapped_is_one_of_the_vocabulary():
    assert set(STATUS) <= set(Action)
    assert set(PURPOSES) <= set(Purpose)
    assert set(TERMS["sensitive"]) == SENSITIVE


def test_a_consent_is_told_with_all_that_the_record_says():
    whole = told(a_stored(**LOADED), a_notice())
    [process] = whole["dpv:hasProcess"]

    assert whole["dpv:hasIdentifier"] == "01939b66-7c11-7d7a-b6a0-2f1d5b2f9a01"
    assert whole["dpv:hasNotice"] == [
        {
            "@type": ["dpv:ConsentNotice"],
            "dct:hasVersion": "v3",
            "dpv:hasIdentifier": "newsletter",
            "dct:language": ["de"],
            "volens:sha256": a_notice().sha256.hex(),
        }
    ]
    assert process["dpv:hasPurpose"][0] | {"@type": 0} == {
        "@type": 0,
        "dct:identifier": "marketing",
        "skos:broader": ["dpv:DirectMarketing"],
        "skos:prefLabel": "marketing",
    }
    assert [each.get("dpv:hasName", "the tenant") for each in process["dpv:hasDataController"]] == [
        "the tenant",
        "ShopCo",
    ]
    assert process["dpv:hasConsentStatus"] == [
        {
            "@type": ["dpv:ConsentGiven", "dpv:ExplicitlyExpressedConsent"],
            "dpv:isIndicatedAtTime": "2026-11-21T12:00:00Z",
            "dpv:isIndicatedBy": "dpv:DataSubject",
            "dpv:hasIndicationMethod": "web_form",
            "dpv:hasDuration": {"@type": ["dpv:UntilTimeDuration"], "rdf:value": "2027-11-21T12:00:00Z"},
        }
    ]
    assert whole["volens:notStated"] == [
        "storage_locations",
        "retention_period",
        "jurisdiction",
        "withdrawal_method",
        "party_address",
        "party_contact",
    ]


def test_what_the_record_does_not_say_is_listed_and_not_made_up():
    bare = told(a_stored(notice_version=None, method=None, purpose=None))

    assert {"privacy_notice", "language", "purposes", "pii_information", "collection_method", "event_type"} <= set(
        bare["volens:notStated"]
    )
    assert not bare.keys() & {"dpv:hasNotice", "dct:language"}
    assert "dpv:hasPurpose" not in bare["dpv:hasProcess"][0]


def test_a_list_that_names_nobody_differs_from_one_that_is_missing():
    [nobody] = told(a_stored(named_recipients=[]))["dpv:hasProcess"]
    [unsaid] = told(a_stored())["dpv:hasProcess"]

    assert nobody["dpv:hasRecipient"] == []
    assert "dpv:hasRecipient" not in unsaid


@pytest.mark.parametrize("member", ["evidence", "method", "product", "subject_ref", "incentive"])
def test_free_texts_are_not_repeated(member: str):
    assert "Lovelace" not in json.dumps(told(a_stored(**{member: "Ada Lovelace"})))


@pytest.mark.parametrize("method", [*METHODS["classes"], "keyword_STOP"])
def test_every_method_that_is_known_is_told(method: str):
    [process] = told(a_stored(method=method))["dpv:hasProcess"]

    assert process["dpv:hasConsentStatus"][0]["dpv:hasIndicationMethod"] == method


def test_a_purpose_of_the_tenants_own_is_told_by_its_title_as_what_it_maps_onto():
    own = OwnPurpose(purpose="x-club", maps_to="targeted_ads", title="The club")
    [process] = told(a_stored(purpose="x-club"), own=own)["dpv:hasProcess"]

    assert process["dpv:hasPurpose"][0]["skos:broader"] == ["dpv:TargetedAdvertising"]
    assert process["dpv:hasPurpose"][0]["skos:prefLabel"] == "The club"


def test_a_purchase_says_nothing_about_consent():
    [process] = told(a_stored(action="purchase"))["dpv:hasProcess"]

    assert process["dpv:hasConsentStatus"][0]["@type"] == ["dpv:ConsentUnknown"]
    assert "dpv:hasLegalBasis" not in process


def test_the_notice_is_the_one_registered_version_that_covers_the_record():
    other = a_notice("cookies", purposes=("analytics",))

    assert shown(a_stored(), [a_notice(), other]) == a_notice()
    assert shown(a_stored(channel=["email"], purpose="any"), [a_notice()]) == a_notice()
    assert shown(a_stored(channel="any"), [a_notice()]) == a_notice()


@pytest.mark.parametrize(
    "versions",
    [
        pytest.param([a_notice(), a_notice("other")], id="two that cover it"),
        pytest.param([a_notice(created_at=NOON)], id="not registered before the record arrived"),
        pytest.param([a_notice(version="v4")], id="another version"),
        pytest.param([a_notice(channels=(Channel.SMS,))], id="another channel"),
        pytest.param([a_notice(purposes=("survey",))], id="another purpose"),
    ],
)
def test_a_notice_that_is_not_clear_is_not_guessed(versions: list[Notice]):
    assert shown(a_stored(), versions) is None
