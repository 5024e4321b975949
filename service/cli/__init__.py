"""The command line: thin. Each command reads the settings, calls one thing and says what came out.

Commands load what they need when they run: that takes a second, which help and typing errors need not wait.
"""

from service.cli import (
    activation,
    audit,
    carrying,
    checks,
    described,
    drop,
    keys,
    policy,
    requests,
    restoring,
    running,
    subjects,
    tenants,
    trying,
    vault,
)
from service.cli.frame import main

__all__ = [
    "activation",
    "audit",
    "carrying",
    "checks",
    "described",
    "drop",
    "keys",
    "main",
    "policy",
    "requests",
    "restoring",
    "running",
    "subjects",
    "tenants",
    "trying",
    "vault",
]
