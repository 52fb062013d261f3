"""How long a thread of ours computes before Linux lets another go first. On other systems nothing of this happens."""

import ctypes
import os
import platform
import struct
import sys

# `sched_setattr` has no name in Python, nor in most C libraries: its number is the processor family's.
_NUMBERS = {"x86_64": 314, "aarch64": 274}
_NUMBER = _NUMBERS.get(platform.machine()) if sys.platform == "linux" and sys.maxsize > 2**32 else None
_LIBRARY = ctypes.PyDLL(None) if _NUMBER else None


def compute_for(seconds: float) -> None:
    """Asks for turns of this length for this thread and for all that it starts later.

    Whoever asks for longer ones is interrupted less often, and as soon as somebody awakes who asked for shorter ones.
    Linux grants from 0.0001 to 0.1 seconds since 6.12 (`sched(7)`, `sched_setattr(2)`); before, and where it is forbidden,
    nothing changes. What the owner chose of priorities stays as it is, and nothing is asked beside other classes of them.
    """
    if not _LIBRARY or (policy := os.sched_getscheduler(0)) not in (os.SCHED_OTHER, os.SCHED_BATCH):
        return
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    # Size, policy, flags, nice, priority, and three times, of which the first is the turn's.
    asked = struct.pack("=IIQiIQQQ", 48, policy, 0, nice, 0, int(seconds * 1e9), 0, 0)
    _LIBRARY.syscall(_NUMBER, 0, asked, 0)
