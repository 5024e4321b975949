"""The command that tries a change of policy."""

import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.table import Table

from service.arguments import Asked, Instant, NamedFile
from service.cli.frame import command, complaints, console, data_option, json_option, read_settings
from service.cli.policy import policy

if TYPE_CHECKING:
    from service.trials.schemas import ResultView, TrialView
    from service.trying import Outcome

SHOWN = 20
"""Changes that are listed to people; machines get all."""


@command(policy, "try")
@click.option("--tenant", "tenant_name", required=True, help="Whose decisions, or people.")
@click.option("--overlay", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="JSON: the tenant's own.")
@click.option("--table", "tables", multiple=True, type=NamedFile(), help="JSON: a whole table; may be repeated.")
@click.option("--module", "modules", multiple=True, type=NamedFile(), help="Rego, by its path in the bundle.")
@click.option("--since", type=Instant(), help="Over decisions made from then on.")
@click.option("--until", type=Instant(), help="Before then.  [now]")
@click.option("--subjects", type=Asked(), help="Over everybody, asked about now.")
@json_option
@data_option
async def policy_try(
    tenant_name: str,
    overlay: Path | None,
    tables: tuple[tuple[str, Path], ...],
    modules: tuple[tuple[str, Path], ...],
    since: datetime | None,
    until: datetime | None,
    subjects: dict[str, str] | None,
    as_json: bool,
    data_dir: str | None,
) -> None:
    """Say what a change of policy would do: to decisions of the log, or to everybody asked about now.

    With --since, its answers are compared with those of then, under whatever governed then; with
    --subjects, with those of what governs now. Nothing is activated. What the candidate doesn't name
    stays as it governs. Exit code 1 if the trial fails; that something would change is no failure.

    \b
    volens policy try --tenant demo --table periods=periods.json --since 2026-11-01
    volens policy try --tenant demo --overlay stricter.json --subjects email:marketing
    volens policy try --tenant demo --module volens/gdpr/staleness.rego=staleness.rego --since 2026-11-01
    """
    from service import trying

    over: dict[str, Any] = {} if subjects is None else {"subjects": subjects}
    if since is not None:
        over["decisions"] = {"since": since} | ({} if until is None else {"until": until})
    if len(over) != 1 or (until is not None and since is None):
        raise click.UsageError("name either --since or --subjects")
    wanted = trying.candidate(overlay, tables, modules, over)
    outcome = await trying.try_policy(read_settings(data_dir=data_dir), tenant_name, wanted, complaints)
    if as_json:
        click.echo(msgspec.json.encode(outcome).decode())
    else:
        _show(outcome)
    sys.exit(0 if outcome.trial.result is not None else 1)


def _show(outcome: "Outcome") -> None:
    trial = outcome.trial
    click.echo("\n".join(_compared(trial)))
    if trial.result is None:
        complaints.print(f"the trial failed: {trial.fault}", markup=False, highlight=False)
        return
    result = trial.result
    click.echo(
        f"{result.judged} asked again: {result.to_deny} change from permit to deny, {result.to_permit} from deny to "
        f"permit; {result.reasons_changed} keep the answer for other reasons"
    )
    if result.unjudged:
        click.echo(f"{result.unjudged} can't be compared")
    if outcome.changes:
        console.print(_groups(result), markup=False, highlight=False)
        console.print(_changes(outcome), markup=False, highlight=False)


def _compared(trial: "TrialView") -> Iterator[str]:
    """Say what is compared: decisions with what was answered then, people with what they get under what governs."""
    yield f"candidate {trial.candidate}"
    if trial.over.decisions is None:
        yield f"against   {trial.policy_revision}, which governs"
        return
    yield "against   what was answered then"
    for then in [] if trial.result is None else trial.result.revisions:
        yield f"          {then.judged} under {then.policy_revision}"


def _groups(result: "ResultView") -> Table:
    table = Table()
    table.add_column("by", no_wrap=True)
    table.add_column("", overflow="fold")
    table.add_column("permit → deny", justify="right")
    table.add_column("deny → permit", justify="right")
    for kind, groups in (("rule", result.rules), ("channel", result.channels), ("purpose", result.purposes)):
        for group in groups:
            table.add_row(kind, group.name, str(group.to_deny), str(group.to_permit))
    return table


def _changes(outcome: "Outcome") -> Table:
    more = len(outcome.changes) - SHOWN
    table = Table(caption=f"and {more} more: --json tells all" if more > 0 else None)
    table.add_column("decision or subject", no_wrap=True)
    table.add_column("then → now", no_wrap=True)
    table.add_column("rules that deny", overflow="fold")
    for change in outcome.changes[:SHOWN]:
        name = change.subject or str(change.decision or change.handle)
        table.add_row(name, f"{change.then} → {change.now}", ", ".join(change.rules))
    return table
