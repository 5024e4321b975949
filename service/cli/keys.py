"""Commands about the vault's keys."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import click
import msgspec

from service.cli.frame import CONTEXT, command, complaints, data_option, json_option, main, read_settings, show

if TYPE_CHECKING:
    from service.rotation import KeysStatus
    from service.vault.rotation import RootRotated, Rotated

tenant_option = click.option("--tenant", "tenant_name", help="Only this tenant.")
wait_option = click.option(
    "--wait/--no-wait",
    default=True,
    help="Stay until the old versions are removed, which is when no process remembers them; or leave that to the next "
    "call.  [--wait]",
)


@main.group(context_settings=CONTEXT)
def keys() -> None:
    """The keys of the vault: what they hang from, and new ones in their place."""


@command(keys, "status")
@tenant_option
@json_option
@data_option
async def keys_status(tenant_name: str | None, as_json: bool, data_dir: str | None) -> None:
    """Show which keys there are, in which versions, and how much hangs from each.

    More than one version of a tenant or index key, or keys under another version of the root key than the
    current one, is a rotation that is not finished. Exit code 1 if the key ring lacks a root key that is in use.

    \b
    volens keys status
    volens keys status --tenant example-shop --json | jq -r .fault
    """
    from service import rotation

    found = await rotation.status(read_settings(data_dir=data_dir), tenant_name)
    show(as_json, msgspec.to_builtins(found), "\n".join(_described(found)))
    sys.exit(1 if found.fault else 0)


@keys.group(context_settings=CONTEXT)
def rotate() -> None:
    """New keys in the place of old ones, while everything goes on. Safe to stop at any moment, and to repeat.

    A rotation that was stopped goes on where it was; only when it is finished does the same command begin another.
    """


@command(rotate, "root")
@json_option
@data_option
async def keys_rotate_root(as_json: bool, data_dir: str | None) -> None:
    """Have the key ring make a new version of the root key, and wrap every tenant's keys under it.

    No subject key and no value changes. The earlier version stays in the ring until you remove it there.

    \b
    volens keys rotate root
    """
    from service import rotation

    done = await rotation.rotate_root(read_settings(data_dir=data_dir), complaints)
    show(as_json, msgspec.to_builtins(done), _root_told(done))
    sys.exit(1 if done.unreadable else 0)


@command(rotate, "tenant")
@tenant_option
@wait_option
@json_option
@data_option
async def keys_rotate_tenant(tenant_name: str | None, wait: bool, as_json: bool, data_dir: str | None) -> None:
    """Give every tenant, or one, a new key, and put the keys of all its subjects under it.

    No value changes. At the end it waits until no process remembers the old key (VOLENS_VAULT_KEY_CACHE_SECONDS and
    a minute), moves what came late, and removes the old key.

    \b
    volens keys rotate tenant
    volens keys rotate tenant --tenant example-shop --no-wait
    """
    from service import rotation

    done = await rotation.rotate_tenants(read_settings(data_dir=data_dir), tenant_name, complaints, wait=wait)
    show(as_json, msgspec.to_builtins(done), "\n".join(_told(each, "subject keys") for each in done) or _NOTHING)
    sys.exit(1 if any(each.unreadable for each in done) else 0)


@command(rotate, "index")
@tenant_option
@click.option("--field", help="Only the index of this field.")
@wait_option
@json_option
@data_option
async def keys_rotate_index(
    tenant_name: str | None, field: str | None, wait: bool, as_json: bool, data_dir: str | None
) -> None:
    """Give blind indexes new keys, and index every value under them.

    People are found all the while. At the end it waits until every process knows the new key
    (VOLENS_VAULT_KEY_CACHE_SECONDS and a minute), indexes what came late, and removes the old key with its entries.

    \b
    volens keys rotate index
    volens keys rotate index --tenant example-shop --field email --no-wait
    """
    from service import rotation

    settings = read_settings(data_dir=data_dir)
    done = await rotation.rotate_indexes(settings, tenant_name, field, complaints, wait=wait)
    show(as_json, msgspec.to_builtins(done), "\n".join(_told(each, "values") for each in done) or _NOTHING)
    sys.exit(1 if any(each.unreadable for each in done) else 0)


_NOTHING: Final = "there are no keys yet"


def _root_told(done: "RootRotated") -> str:
    told = f"{done.moved} keys are under version {done.version} of the root key now"
    if not done.begun:
        told += "; a rotation that was under way is finished"
    if done.unreadable:
        told += f"; {done.unreadable} do not open and stay as they are"
    return told


def _told(done: "Rotated", what: str) -> str:
    key = f"{done.tenant} {done.field}".strip()
    told = [f"{key}: {done.moved} {what} were put under version {done.version}"]
    if not done.begun:
        told.append("a rotation that was under way went on")
    if done.unreadable:
        told.append(f"{done.unreadable} do not open and stay as they are")
    if done.removed:
        told.append(f"removed: {', '.join(map(str, done.removed))}")
    if done.settles_at:
        told.append(f"call again after {done.settles_at:%Y-%m-%dT%H:%M:%SZ} to remove what was before")
    return "; ".join(told)


def _described(found: "KeysStatus") -> Iterator[str]:
    yield f"key ring {found.ring}, root key {found.current or 'not to be had'}"
    if found.fault:
        yield f"FAULT {found.fault}"
    for use in found.roots:
        note = "" if (use.ring, use.version) == (found.ring, found.current) else "  (not the current one)"
        yield f"  {use.keys} keys under {use.ring} {use.version}{note}"
    for each in found.tenants:
        for key in each.keys:
            name = f"{key.purpose} {key.field}".strip()
            uses = "" if key.uses is None else f"  {key.uses} under it"
            yield f"{each.tenant}  {name}  version {key.version}  {key.created_at:%Y-%m-%dT%H:%M:%SZ}{uses}"
