"""Files of other systems: which column is what is data, and no address gets anywhere but into the look-up."""

import csv
import io
import json

import psycopg
import pytest

from service.consent.mapping_files import READY, ready
from tests.api.test_record_import import asked, history, known

CSV = {"content-type": "text/csv"}
SUPPORTED = {"evidence": "DMS-114", "notice_version": "v3"}
FILES = {
    "mailchimp": (
        ("Email Address", "First Name", "OPTIN_TIME", "OPTIN_IP", "CONFIRM_TIME", "UNSUB_TIME", "NOTES"),
        [
            ("ann@mail.example", "Ann", "2026-01-02 10:00:00", "192.0.2.1", "2026-01-02 10:01:00", "", "a, b"),
            ("bob@mail.example", "Bob", "", "", "2026-01-02 10:01:00", "2026-03-01 09:00:00", 'said "no"\nthen'),
            ("cem@mail.example", "Cem", "", "", "", "", ""),
        ],
        {"ann": ["opt_in"], "bob": ["opt_in", "opt_out"], "cem": []},
    ),
    "hubspot": (
        ("Email", "Portal Bounce", "Portal Unsubscribe", "Portal Spam Report", "Marketing Information"),
        [
            ("ann@mail.example", "FALSE", "FALSE", "FALSE", "TRUE"),
            ("bob@mail.example", "FALSE", "TRUE", "TRUE", "FALSE"),
            ("cem@mail.example", "TRUE", "FALSE", "FALSE", "FALSE"),
        ],
        {"ann": ["opt_out"], "bob": ["complaint", "opt_out"], "cem": []},
    ),
    "klaviyo": (
        (
            "Email",
            "Klaviyo ID",
            "Email Marketing Consent",
            "Email Marketing Consent Timestamp",
            "SMS Marketing Consent",
        ),
        [
            ("ann@mail.example", "01", "SUBSCRIBED", "2026-01-02 10:00:00", "NEVER_SUBSCRIBED"),
            ("bob@mail.example", "02", "UNSUBSCRIBED", "", "UNSUBSCRIBED"),
            ("cem@mail.example", "03", "NEVER_SUBSCRIBED", "", ""),
        ],
        {"ann": ["opt_in"], "bob": ["opt_out", "opt_out"], "cem": []},
    ),
    "salesforce-marketing-cloud": (
        ("SubscriberKey", "EmailAddress", "Status", "DateJoined", "DateUnsubscribed"),
        [
            ("ann", "ann@mail.example", "active", "1/2/2026 10:00:00 AM", ""),
            ("bob", "bob@mail.example", "unsubscribed", "1/2/2026 10:00:00 AM", "3/1/2026 9:00:00 PM"),
            ("cem", "cem@mail.example", "held", "1/2/2026 10:00:00 AM", ""),
        ],
        {"ann": ["opt_in"], "bob": ["opt_out"], "cem": []},
    ),
    "braze": (
        ("user_id", "email", "unsubscribed_from_emails_at"),
        [("ann", "ann@mail.example", ""), ("bob", "bob@mail.example", "2026-03-01 09:00:00"), ("cem", "", "")],
        {"ann": [], "bob": ["opt_out"], "cem": []},
    ),
}


def file(header, rows):
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    return "\ufeff" + text.getvalue()


async def sent(client, content, mapping=None, **query):
    how = mapping if mapping is None or isinstance(mapping, str) else json.dumps(mapping)
    asked_for = {**query, **({} if how is None else {"mapping": how})}
    answer = await client.post("/v1/records/import", content=content.encode(), headers=CSV, params=asked_for)
    assert answer.status_code == 200, answer.text
    *told, summary = [json.loads(each) for each in answer.text.splitlines()]
    return told, summary


@pytest.fixture
async def people(client):
    await known(client, "ann", "bob", "cem")
    for name in ("ann", "bob", "cem"):
        await write(client, name, f"{name}@mail.example")


async def write(client, name, value, field="email"):
    answer = await client.put(f"/v1/vault/{name}/{field}", json={"value": value})
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("tool", sorted(FILES))
@pytest.mark.usefixtures("people")
async def test_the_export_of_each_tool_becomes_what_it_says(client, database, tenant, log, tool):
    header, rows, expected = FILES[tool]

    told, summary = await sent(client, file(header, rows), {"use": tool, "set": SUPPORTED})

    for name, actions in expected.items():
        records = await history(client, name)
        assert sorted(record["action"] for record in records) == sorted(actions), (name, told)
        assert all(record["method"] == "crm_import" for record in records)
    assert summary["refused"] == 0
    assert summary["lines"] == 4
    with psycopg.connect(database.urls.admin) as connection:
        kept = connection.execute("SELECT string_agg(convert_from(statement, 'UTF8'), '') FROM record").fetchone()[0]
    for place in (kept, json.dumps(told), log.getvalue().decode()):
        assert "mail.example" not in place
        assert "192.0.2.1" not in place


@pytest.mark.usefixtures("people")
async def test_what_is_proved_permits_and_what_is_not_does_not(client):
    header, rows, _ = FILES["mailchimp"]

    await sent(client, file(header, rows), {"use": "mailchimp", "set": SUPPORTED})
    await sent(client, file(header, [("cem@mail.example", *rows[0][1:])]), "mailchimp")

    assert [await asked(client, name) for name in ("ann", "bob", "cem")] == ["permit", "deny", "deny"]


@pytest.mark.usefixtures("people")
async def test_nobody_and_several_who_have_an_address_have_outcomes_of_their_own(client):
    await write(client, "ann", "family@mail.example", "email%23home")
    await write(client, "bob", "family@mail.example", "email%23home")
    rows = [
        (f"{name}@mail.example", "x", "", "", "2026-01-02 10:00:00", "", "") for name in ("dan", "family", "nonsense@")
    ]

    told, _ = await sent(client, file(FILES["mailchimp"][0], rows), "mailchimp")

    assert [each.get("code") for each in told] == [None, "address_unknown", "address_shared", "value_refused"]
    assert not any(f"{name}@" in json.dumps(told) for name in ("dan", "family", "nonsense"))
    assert (await client.get("/v1/subjects/dan")).status_code == 404


async def test_finding_people_by_address_takes_the_scope_and_each_look_up_is_audited(client, client_of, people):
    content = file(FILES["mailchimp"][0], FILES["mailchimp"][1])
    query = {"mapping": "mailchimp"}
    without = client_of(scope="records:write")

    refused = await without.post("/v1/records/import", content=content.encode(), headers=CSV, params=query)
    await sent(client, content, "mailchimp", dry_run="true")

    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (403, "insufficient_scope")
    entries = (await client.get("/v1/audit/entries?event=vault.looked_up")).json()["entries"]
    assert len(entries) == 2, "one for each row that states anything"


async def test_a_column_of_addresses_is_no_column_of_ids_and_gets_into_no_record(client):
    content = file(
        ("mail", "when", "how"), [("a@mail.example", "2026-01-01", "x"), ("b", "2026-01-01", "b@mail.example")]
    )
    mapping = {
        "subject": "mail",
        "times": ["%Y-%m-%d"],
        "records": [
            {
                "set": {"action": "opt_in", "channel": "email", "purpose": "marketing"},
                "take": {"ts": "when", "evidence": "how"},
            }
        ],
    }

    told, _ = await sent(client, content, mapping)

    assert [each.get("code") for each in told] == [None, "line_refused", "address_in_record"]
    assert "mail.example" not in json.dumps(told)


async def test_columns_named_like_members_need_no_mapping_and_bad_rows_harm_no_others(client):
    header = "id,subject,ts,channel,purpose,action,method,evidence,notice_version,explicit"
    good = "2026-01-01T10:00:00+01:00,email,marketing,opt_in,double_opt_in,form 7,v3"
    told, _ = await sent(client, f"{header},address\n,ann,{good},true,+49301234567\n,ann,{good},true,email_2")
    assert [(each["outcome"], each.get("code")) for each in told[1:]] == [("refused", "line_refused"), ("stored", None)]
    rows = [
        f",ann,{good},true",
        f"01939b66-0000-7000-8000-0000000000aa,bob,{good},",
        f"nonsense,bob,{good},",
        f",bob,{good}",
        ",bob,2026-01-01T10:00:00,email,marketing,opt_in,,,,",
        f",bob,{good},lovelace",
        ',bob,2026-01-01T10:00:00Z,email,marketing,"opt_in,,,,',
        "",
    ]

    told, _ = await sent(client, "\n".join([header, *rows]))

    outcomes = [each["outcome"] for each in told]
    assert outcomes[:7] == ["nothing", "stored", "stored", "refused", "refused", "stored", "refused"]
    assert outcomes[7:] == ["refused"]
    assert "lovelace" not in json.dumps(told)
    record = (await history(client, "ann"))[-1]
    assert (record["explicit"], record["evidence"]) == (True, "form 7")


@pytest.mark.parametrize(
    "mapping",
    [
        "lovelace",
        "{",
        {"use": "mailchimp", "lovelace": 1},
        {"subject": "a"},
        {"use": "mailchimp", "time_zone": "Lovelace/City"},
        {"use": "mailchimp", "set": {"lovelace": "x"}},
        {"use": "mailchimp", "set": {"action": "lovelace"}},
        "volens",
    ],
)
async def test_a_mapping_that_can_not_be_used_refuses_the_whole_file(client, mapping):
    how = mapping if isinstance(mapping, str) else json.dumps(mapping)
    answer = await client.post("/v1/records/import", content=b"a\n1\n", headers=CSV, params={"mapping": how})

    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (409, "mapping_unusable")
    assert "nowhere" not in answer.text


async def test_who_names_no_ready_mapping_is_told_which_there_are(client):
    answer = await client.post(
        "/v1/records/import?mapping=mailchump", content=b"id\nann\n", headers={"content-type": "text/csv"}
    )

    assert answer.json()["detail"].endswith("there are braze, hubspot, klaviyo, mailchimp, salesforce-marketing-cloud")


def test_the_ready_mappings_name_their_sources_and_hold():
    for name in READY:
        mapping = ready(name)
        mapping.check()
        assert all(source.startswith("https://") for source in mapping.sources), name
        assert mapping.title
