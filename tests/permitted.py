"""What the tables of the tests of all operations have of permits."""

BODIES = {"verifyPermit": {"permit": "none.of.ours", "burn": True}}
TO_OTHERS = {"listRevokedPermits": 200}
"""What the reading one answers to another tenant."""
