"""Turns at computing, asked of a real Linux: it grants them since 6.12, and nothing else changes."""

import ctypes
import os
import platform
import struct
import subprocess
import sys
import threading

import pytest

from tracker import slices

GETATTR = {"x86_64": 315, "aarch64": 275}
GRANTS = tuple(int(part) for part in platform.release().split(".")[:2]) >= (6, 12)


def found() -> tuple[int, int, int]:
    """This thread's policy, its niceness, and its turn in nanoseconds, as Linux says them."""
    told = ctypes.create_string_buffer(48)
    assert ctypes.CDLL(None).syscall(GETATTR[platform.machine()], 0, told, 48, 0) == 0
    _, policy, _, nice, _, turn, _, _ = struct.unpack("=IIQiIQQQ", told.raw)
    return policy, nice, turn


def test_a_thread_and_those_it_starts_get_turns_of_the_length_asked_for() -> None:
    seen: list[tuple[int, int, int]] = []

    def start_another() -> None:
        before = found()
        slices.compute_for(0.02)
        other = threading.Thread(target=lambda: seen.append(found()))
        other.start()
        other.join()
        seen.extend([found(), before])

    thread = threading.Thread(target=start_another)
    thread.start()
    thread.join()
    inherited, own, before = seen
    assert own == inherited == (*before[:2], 20_000_000 if GRANTS else before[2])


def test_what_the_owner_chose_of_priorities_stays() -> None:
    ask = "import os; from tracker.slices import compute_for; "
    told = ask + "os.nice(7); compute_for(0.05); print(os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0))"
    assert subprocess.check_output([sys.executable, "-c", told]) == b"%d 7\n" % os.SCHED_OTHER
    told = (
        ask
        + "os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0)); compute_for(0.05); print(os.sched_getscheduler(0))"
    )
    assert subprocess.check_output([sys.executable, "-c", told]) == b"%d\n" % os.SCHED_IDLE


def test_on_other_systems_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    before = found()
    monkeypatch.setattr(slices, "_LIBRARY", None)
    slices.compute_for(0.02)
    assert found() == before
