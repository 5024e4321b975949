"""A policy of the tests' own: data small enough to read, and answers chosen by name."""

import json
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

from service.consent import Vocabulary
from service.decisions.policy import Policy, RuleNote, policy_data
from service.kernel import Unavailable
from service.opa_process import find
from service.subjects import Gazetteer
from tests.absent import lacking

DATA: dict[str, Any] = {
    "bands": {
        "months": [6, 12, 24, 36],
        "waits": [12],
        "ages": [13, 14, 15, 16, 17, 18],
        "minutes": [480, 540, 720, 1200, 1260],
        "in_force": ["2026-02-05", "2026-08-01", "2027-01-01"],
        "attempts": {"h24": 4, "d30": 5},
        "counted_together": {"h24": [["phone", "sms"]]},
        "clock_channels": ["phone", "phone_auto", "sms"],
        "spans": {
            "months_past": ["opt_in", "purchase", "inquiry"],
            "months_waited": ["opt_out_sale", "declined_opt_in"],
            "days60": ["opt_out", "refused_in_call"],
            "minutes5": ["opt_out"],
            "age": ["opt_in", "parental_consent"],
            "law_day": ["support_given"],
        },
    },
    "terms": {
        "content": ["promotional", "mixed", "service"],
        "scope": ["channel", "global"],
        "safeguards": ["human_intervention", "contest"],
        "subscriber_type": ["individual", "corporate"],
        "special_category": ["health", "health_inferred"],
    },
    "actions": {
        "refusals": ["opt_out", "object", "declined_opt_in", "refused_in_call", "opt_out_sale"],
        "permissions": ["opt_in", "opt_in_sale", "parental_consent"],
        "relations": ["purchase", "inquiry"],
        "attempts": ["call_attempt"],
        "state": ["restrict", "unrestrict", "erase_request", "erased"],
        "bounds": {"permissions": 12, "refusals": 24, "attempts": 10},
    },
    "methods": {"classes": {"web_form": "act", "double_opt_in": "doi"}, "prefixes": {"keyword_": "keyword"}},
    "places": {},
}


RULES = ("EU-EPD-01", "ENG-DENY-01")


def holiday(country: str, day: date) -> bool:
    return (country, day) == ("DE", date(2026, 12, 25))


def policy(**bands: Any) -> Policy:
    data = policy_data(json.dumps({"volens": DATA | {"bands": DATA["bands"] | bands}}).encode())
    return Policy(
        revision="sha256:test",
        data=data,
        vocabulary=Vocabulary.of(data.actions, data.methods, data.keeping),
        rules={id_: RuleNote(id=id_, title=id_, citation="-", stage=10, file="-", line=1) for id_ in RULES},
        gazetteer=Gazetteer(
            places=frozenset({"DE", "US-CA", "US-VA", "US", "FR"}),
            zones=frozenset({"Europe/Berlin", "America/Los_Angeles", "America/New_York", "Europe/Paris"}),
        ),
        is_holiday=holiday,
    )


def opa() -> Path:
    """Return the OPA program; skip the test where there is none, but never in CI."""
    try:
        return find()
    except Unavailable as error:
        lacking(str(error))


MODULE = """
package volens.decision

# METADATA
# entrypoint: true
verdict := data.volens.answers[input.answer]

# METADATA
# entrypoint: true
considered := data.volens.answers[input.answer]

verdict := data.volens.answers.permit if {
	input.answer == "late"
	many := numbers.range(1, 4000)
	count([1 | some a in many; some b in many; a * b == -1]) == 0
}
"""


def build(folder: Path, answers: dict[str, Any], revision: str) -> tuple[bytes, bytes, Path]:
    """Build a policy that answers what it is told to: its module, its data, and the bundle for a server."""
    source = folder / "source"
    (source / "answers").mkdir(parents=True)
    (source / "verdict.rego").write_text(MODULE)
    (source / "data.json").write_text(json.dumps({"volens": {"answers": answers}}))
    (source / ".manifest").write_text(json.dumps({"roots": ["volens"], "rego_version": 1}))
    built = {}
    for target in ("rego", "wasm"):
        built[target] = folder / f"{target}.tar.gz"
        entrypoints = [word for name in ("verdict", "considered") for word in ("-e", f"volens/decision/{name}")]
        command = [opa(), "build", "-b", source, "-t", target, *entrypoints]
        subprocess.run([*command, "-r", revision, "-o", built[target]], check=True, capture_output=True)
    listed = subprocess.run(["tar", "-xzOf", built["wasm"], "/policy.wasm"], check=True, capture_output=True)
    return listed.stdout, (source / "data.json").read_bytes(), built["rego"]
