"""The environment becomes settings, or is refused; it is never guessed at."""

import json

import pytest

from service.settings import PREFIX, SECRET, InvalidSettings, Settings, described, read

SECRETS = "postgresql://volens_app:hunter2@db.example/volens"


def refused(**variables: str) -> str:
    with pytest.raises(InvalidSettings) as refusal:
        read({PREFIX + name: text for name, text in variables.items()})
    return str(refusal.value)


def test_an_empty_environment_runs_on_this_machine_alone():
    settings = read({})

    assert settings == Settings()
    assert (settings.host, settings.database_url, settings.opa_url) == ("127.0.0.1", None, None)


def test_values_are_read_as_what_they_are():
    issuer = {"issuer": "https://id.example", "jwks": "https://id.example/keys", "tenant": "acme"}
    settings = read(
        {
            "VOLENS_PORT": "0",
            "VOLENS_HSTS": "TRUE",
            "VOLENS_LOCAL_ISSUER": "false",
            "VOLENS_ISSUERS": json.dumps([issuer]),
            "VOLENS_DATABASE_URL": SECRETS,
            "VOLENS_OPA_URL": "https://opa.example:8443/",
            "PORT": "1",
        }
    )

    assert (settings.port, settings.hsts, settings.local_issuer, settings.database_url) == (0, True, False, SECRETS)
    assert settings.issuers[0].tenant == "acme"


def test_a_typing_error_switches_nothing_off_in_silence():
    for name in ("LOCAL_ISUER", "local_issuer", "LOCAL_ISSUER ", ""):
        assert f"unknown setting VOLENS_{name};" in refused(**{name: "false"})


@pytest.mark.parametrize("name", sorted(Settings.__struct_fields__))
def test_a_variable_that_is_set_to_nothing_is_no_default(name: str):
    for nothing in ("", "  "):
        assert f"VOLENS_{name.upper()} is set to nothing" in refused(**{name.upper(): nothing})


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("PORT", "many", "Expected `int`"),
        ("PORT", "65536", "<= 65535"),
        ("POOL_SIZE", "0", ">= 1"),
        ("BODY_LIMIT", "12", ">= 1024"),
        ("HSTS", "yes", "true or false"),
        ("LOG_LEVEL", "loud", "debug, info, warning or error"),
        ("ISSUERS", "[", "no JSON"),
        ("ISSUERS", "{}", "Expected `array`"),
        ("ISSUERS", "null", "Expected `array`"),
        ("ISSUERS", '[{"issuer": "https://id.example"}]', "at /0. Required member `jwks`"),
        ("ISSUERS", '[{"issuer": "i", "jwks": "f", "tenants": "acme"}]', "Unknown member `tenants`"),
        ("ISSUERS", '[{"issuer": "i", "jwks": "http://id.example/keys"}]', "at /0"),
        ("ISSUERS", '[{"issuer": "i", "jwks": "a"}, {"issuer": "i", "jwks": "b"}]', "twice"),
        ("ISSUERS", '[{"issuer": "https://local.volens.example", "jwks": "a"}]', "twice"),
        ("DATABASE_URL", "mysql://db.example/volens", "postgresql://"),
        ("DATABASE_URL", "postgres://db.example/volens", "postgresql://"),
        ("KEY_RING", "sticky-note", "file, OpenBao"),
        ("VAULT_KEY_CACHE_SECONDS", "3601", "<= 3600"),
        ("VAULT_KEY_CACHE_SECONDS", "-1", ">= 0"),
        ("WITNESS_SECONDS", "0", ">= 1"),
        ("TSA_SECONDS", "59", ">= 60"),
        ("OPA_URL", "opa.example:8181", "http(s)://"),
        ("OPA_URL", "http://opa.example:8181/v1", "without a path"),
        ("OPA_URL", "http://opa.example:port", "http(s)://"),
    ],
)
def test_an_unusable_value_is_refused_by_the_name_of_its_variable(name: str, text: str, said: str):
    message = refused(**{name: text})

    assert message.startswith(f"VOLENS_{name} ")
    assert said in message


@pytest.mark.parametrize("name", ["OWNER_DATABASE_URL", "WORKER_DATABASE_URL"])
def test_the_address_of_a_part_without_that_of_the_service_would_start_another_database(name: str):
    assert "VOLENS_DATABASE_URL is not" in refused(**{name: SECRETS})


def test_a_door_is_opened_whole_or_not_at_all():
    assert "VOLENS_OPENDSR_DOMAIN go together" in refused(OPENDSR_DOMAIN="processor.example")
    assert "VOLENS_OPENDSR_DOMAIN go together" in refused(OPENDSR_KEY_PATH="/srv/dsr.key")
    whole = {"OPENDSR_DOMAIN": "processor.example", "OPENDSR_KEY_PATH": "k", "OPENDSR_CERTIFICATE_PATH": "c"}
    assert "https://HOST/PATH" in refused(**whole, OPENDSR_CERTIFICATE_URL="http://processor.example/dsr.pem")
    assert "VOLENS_DRP_DIRECTORY go together" in refused(DRP_DIRECTORY="agents.json")
    assert "VOLENS_DRP_DIRECTORY go together" in refused(DRP_BUSINESSES='{"SHOP": "acme"}')
    for url in ("http://directory.example/agents.json", "ftp://directory.example", "https://"):
        assert "no file and no address" in refused(DRP_DIRECTORY=url, DRP_BUSINESSES='{"SHOP": "acme"}')
    for businesses in ("{", '["acme"]', '{"SHOP": "No Tenant"}'):
        assert refused(DRP_DIRECTORY="agents.json", DRP_BUSINESSES=businesses).startswith("VOLENS_DRP_BUSINESSES ")


def test_a_time_stamp_authority_comes_with_whom_to_believe():
    said = "go together"
    assert said in refused(TSA_URL="https://tsa.example")
    assert said in refused(TSA_ROOTS_PATH="/srv/roots.pem")
    for url in ("tsa.example", "ftp://tsa.example", "http://", "http://tsa.example:port"):
        assert "http(s)://" in refused(TSA_URL=url, TSA_ROOTS_PATH="/srv/roots.pem")
    given = {"VOLENS_TSA_URL": "http://tsa.example/tsr", "VOLENS_TSA_ROOTS_PATH": "/srv/roots.pem"}
    assert read(given).tsa_seconds == 3600


TRANSIT = {"KEY_RING_URL": "https://bao.example:8200", "KEY_RING_KEY": "volens", "KEY_RING_TOKEN": "hunter2"}


@pytest.mark.parametrize(
    "variables",
    [
        {"KEY_RING": "file", "KEY_RING_PATH": "/srv/keys"},
        {"KEY_RING": "transit", **TRANSIT, "KEY_RING_MOUNT": "secrets/transit"},
        {"KEY_RING": "transit", **TRANSIT, "KEY_RING_URL": "http://127.0.0.1:8200"},
        {"KEY_RING": "aws-kms", "KEY_RING_KEY": "alias/volens"},
        {"KEY_RING": "aws-kms", "KEY_RING_KEY": "alias/volens", "KEY_RING_URL": "https://kms.example"},
    ],
    ids=str,
)
def test_a_key_ring_comes_with_what_it_needs(variables: dict[str, str]):
    assert read({PREFIX + name: text for name, text in variables.items()}).key_ring == variables["KEY_RING"]


@pytest.mark.parametrize("missing", TRANSIT)
def test_a_key_ring_without_what_it_needs_is_refused(missing: str):
    given = {name: text for name, text in TRANSIT.items() if name != missing}

    assert refused(KEY_RING="transit", **given).startswith(f"VOLENS_{missing} is not set")


@pytest.mark.parametrize("given", TRANSIT)
def test_settings_of_another_key_ring_than_the_chosen_one_are_refused(given: str):
    """Who sets an address and forgets the ring would otherwise keep the root key in a file."""
    assert refused(**{given: TRANSIT[given]}).startswith(f"VOLENS_{given} is set, but the key ring file takes none")


@pytest.mark.parametrize("url", ["http://bao.example:8200", "bao.example:8200", "https://", "https://bao.example:port"])
def test_keys_travel_by_https_alone_or_stay_on_this_machine(url: str):
    assert "https://" in refused(KEY_RING="transit", **{**TRANSIT, "KEY_RING_URL": url})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PORT", "hunter2"),
        ("LOG_LEVEL", "hunter2"),
        ("DATABASE_URL", "mysql://hunter2@db.example"),
        ("OPA_URL", "http://hunter2@/path"),
        ("ISSUERS", '["hunter2"]'),
        ("ISSUERS", '[{"hun ter2": 1}]'),
    ],
)
def test_a_refusal_never_repeats_the_value(name: str, text: str):
    assert "hunter2" not in refused(**{name: text})
    assert "hun ter2" not in refused(**{name: text})


def test_every_setting_is_described_and_no_secret_is_shown():
    rows = described(Settings(**dict.fromkeys(SECRET, SECRETS)))

    assert [name for name, _, _ in rows] == [f"VOLENS_{field.upper()}" for field in Settings.__struct_fields__]
    assert all(meaning.endswith(".") for _, _, meaning in rows)
    assert "hunter2" not in str(rows)
    assert {value for name, value, _ in rows if name.removeprefix(PREFIX).lower() in SECRET} == {"(set)"}


def test_what_holds_an_address_or_a_token_is_secret():
    words = ("token", "secret", "database_url", "smtp_url")
    telling = {name for name in Settings.__struct_fields__ if any(word in name for word in words)}

    assert telling == SECRET
