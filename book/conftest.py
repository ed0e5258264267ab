"""nbval's kernels listen on sockets in a folder, where the system has them.

A port that was free when it was chosen may be taken when the kernel comes to bind it.
Such a kernel dies, and nbval waits for it without end.
"""

import os
from tempfile import TemporaryDirectory

import nbval.kernel


class OnSockets(nbval.kernel.KernelManager):
    """A kernel manager with a folder of its own for the kernel's sockets."""

    def __init__(self, **options):
        folder = TemporaryDirectory(prefix="kernel-", ignore_cleanup_errors=True)
        place = os.path.join(folder.name, "socket")
        super().__init__(transport="ipc", ip=place, **options)
        self.folder = folder  # removed with the manager


if os.name == "posix":
    nbval.kernel.KernelManager = OnSockets
