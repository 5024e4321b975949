"""Becomes one of PostgreSQL's programs: as somebody who may run it, and never outliving its parent.

`service.postgres_programs` runs this file as a script, ``postgres_process.py PARENT SIGNAL IDENTITY HOME PROGRAM …``,
so it uses the standard library alone. It is no `preexec_fn`, because that may deadlock once the parent has threads.
"""

import ctypes
import os
import sys
from pathlib import Path

UNFIT = 125
"""Exit status when the program could not be started at all. Standard error says why."""

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000


def become(identity: str) -> None:
    """Take on `identity`: ``self``, ``map:UID:GID`` or ``user:UID:GID``.

    PostgreSQL refuses to run as root, and initdb wants an account with a name. ``map`` opens a user namespace in which
    we have that id: outside nothing changes, files keep their owner. ``user`` gives root up for good.
    """
    kind, *ids = identity.split(":")
    if kind == "map":
        uid, gid = os.geteuid(), os.getegid()
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_CLONE_NEWUSER):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), "user namespace")
        Path("/proc/self/setgroups").write_text("deny")  # or the group may not be mapped
        Path("/proc/self/uid_map").write_text(f"{ids[0]} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{ids[1]} {gid} 1")
    elif kind == "user":
        os.setgroups([])
        os.setgid(int(ids[1]))
        os.setuid(int(ids[0]))


def die_with(parent: int, death: int) -> None:
    """Ask the kernel to send us `death` when the parent's thread that started us ends. Survives `exec`.

    Call it after `become`: a change of identity forgets the request. Elsewhere than on Linux there is no such request,
    and the next start ends what an earlier one left behind.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, death, 0, 0, 0)
    if os.getppid() != parent:  # it died before we asked
        raise ProcessLookupError("the process that started this one is gone")


def main(parent: str, death: str, identity: str, home: str, program: str, *arguments: str) -> None:
    os.umask(0o077)
    become(identity)
    die_with(int(parent), int(death))
    os.chdir(home)
    os.execv(program, [program, *arguments])  # noqa: S606  # a shell is what we don't want


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(UNFIT)
