"""What the tables of the tests of all operations have of audiences."""

BODIES = {"decideAudience": {"channel": "email", "purpose": "marketing"}}
