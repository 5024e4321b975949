"""Commands that let another policy govern."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from service.cli.frame import command, complaints, data_option, json_option, read_settings, show
from service.cli.policy import policy

if TYPE_CHECKING:
    from service import activation


@command(policy, "activate")
@click.argument("name", metavar="FILE|REVISION|shipped")
@click.option(
    "--cases",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Cases (JSON lines) that it has to pass; may be repeated.  [the files in tests/policy/cases]",
)
@click.option(
    "--days",
    type=click.IntRange(0, 90),
    default=7,
    show_default=True,
    help="Of so many days back, work out in advance what it says to what was asked.",
)
@click.option("--dry-run", is_flag=True, help="Check it and say what it would change; store nothing.")
@json_option
@data_option
async def policy_activate(
    name: str, files: tuple[Path, ...], days: int, dry_run: bool, as_json: bool, data_dir: str | None
) -> None:
    """Let another policy govern, from the next decision on, on every process.

    FILE is an archive made by `make pack`; REVISION, such as sha256:…, one that is kept, as
    `volens policy revisions` lists them; `shipped` the one that this version brings along. It
    is checked first, and played through the cases on both engines; exit code 1 if one of them
    fails, and nothing is stored then. One that is kept plays no cases unless some are named:
    it had to pass those of its day. Each tenant's audit log says that it governs.

    \b
    volens policy activate --dry-run policy.tar.gz
    volens policy activate --cases germany.jsonl --cases france.jsonl policy.tar.gz
    volens policy activate "$(volens policy revisions --json | jq -r '.activations[1].revision')"
    volens policy activate shipped
    """
    from service import activation

    settings = read_settings(data_dir=data_dir)
    outcome = await activation.activate(settings, name, files, days, dry_run=dry_run, progress_on=complaints)
    show(as_json, msgspec.to_builtins(outcome), "\n".join(_told(outcome, days, remote=settings.opa_url is not None)))
    sys.exit(1 if outcome.failures else 0)


def _told(outcome: "activation.Outcome", days: int, *, remote: bool) -> Iterator[str]:
    if outcome.governs:
        yield f"{outcome.revision} governs already"
        return
    if outcome.failures:
        for failed in outcome.failures:
            yield f"{failed.case} ({', '.join(failed.engines)}): {'; '.join(failed.differences)}"
        count = len({failed.case for failed in outcome.failures})
        yield f"{outcome.revision} does not govern: {count} of {outcome.cases} cases failed, and nothing was stored"
        return
    yield f"{outcome.revision} {'governs from now on' if outcome.activated else 'could govern; nothing was stored'}"
    if outcome.cases:
        yield f"{outcome.cases} cases passed ({', '.join(outcome.engines)})"
    else:
        yield "no cases were played: it is kept, and passed those of its day"
    yield (
        f"{outcome.facts} different facts were asked about in the last {days} days: "
        f"{outcome.to_deny} change from permit to deny, {outcome.to_permit} from deny to permit"
    )
    if not outcome.comparable:
        yield "ages or spans are told by other edges than before: the same people will make other facts than these"
    if outcome.activated and remote:
        yield "VOLENS_OPA_URL: every decision is a denial (503) until that server has the bundle of this revision"


@command(policy, "revisions")
@json_option
@data_option
async def policy_revisions(as_json: bool, data_dir: str | None) -> None:
    """List which policies governed since when, and who activated them; the first governs now.

    Behind them stand those that were kept and never activated: what earlier versions shipped, or
    `make policy` built. `volens policy activate` takes each of them by its name.

    \b
    volens policy revisions --json | jq -r '.activations[1].revision'
    """
    from service import activation

    found = await activation.revisions(read_settings(data_dir=data_dir))
    lines = [f"{each.at:%Y-%m-%dT%H:%M:%SZ}  {each.revision}  {each.actor}" for each in found.activations]
    lines += [f"{each.at:%Y-%m-%dT%H:%M:%SZ}  {each.revision}  kept, never activated" for each in found.kept]
    lines.append(f"shipped with this version  {found.shipped}")
    show(as_json, msgspec.to_builtins(found), "\n".join(lines))
