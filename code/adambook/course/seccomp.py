"""A filter for system calls that forbids new processes and namespaces, in the form that bubblewrap takes.

RLIMIT_NPROC counts all processes of a user and binds no root, so it protects nobody's neighbours; without fork there
is nothing to count. Threads stay allowed. Numbers: linux/filter.h, linux/seccomp.h and the tables of system calls.
"""

from __future__ import annotations

import platform
import struct

LOAD, EQUAL, AT_LEAST, HAS_BITS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, MACHINE, FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
ALLOW, REFUSE, ABSENT, KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000  # EPERM; ENOSYS; the whole process
CLONE_THREAD = 0x00010000
CLONE3 = 435
# machine: (its number, clone, what is refused: fork and vfork where there are any, unshare, setns)
MACHINES = {"x86_64": (0xC000003E, 56, (57, 58, 272, 308)), "aarch64": (0xC00000B7, 220, (97, 268))}


def no_new_processes(machine: str = "") -> bytes:
    """Return the filter for a machine, or no bytes where none is known.

    ``clone`` is allowed for threads alone. ``clone3`` keeps its flags where no filter can read them, so it is said to
    be absent, and the C library falls back to ``clone``.
    """
    machine = machine or platform.machine()
    if machine not in MACHINES:
        return b""
    number, clone, refused = MACHINES[machine]
    steps: list[tuple[int, int, int, int]] = [  # operation, steps to skip if true, if false, number
        (LOAD, 0, 0, MACHINE),
        (EQUAL, 1, 0, number),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
    ]
    for call, verdict in ((CLONE3, ABSENT), *((other, REFUSE) for other in refused)):
        steps += [(EQUAL, 0, 1, call), (RETURN, 0, 0, verdict)]
    steps += [
        (AT_LEAST, 0, 1, 0x40000000),  # the calls of x32, which repeat those of x86_64
        (RETURN, 0, 0, REFUSE),
        (EQUAL, 0, 3, clone),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (HAS_BITS, 1, 0, CLONE_THREAD),
        (RETURN, 0, 0, REFUSE),
        (RETURN, 0, 0, ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
