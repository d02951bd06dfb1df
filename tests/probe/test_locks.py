"""Locks hold as long as somebody below them lives, and folders of dead probes are swept."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kronos_health.probe.locks import LockBusy, acquire
from kronos_health.probe.workplace import workplace


def it_is_held_by_one_at_a_time_and_says_by_whom(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "gpu.lock"
    with acquire(path, "process 7: kronos compiled"), pytest.raises(LockBusy, match="process 7: kronos compiled"):
        acquire(path, "me")
    acquire(path, "me").release()
    assert path.read_text() == "me"


def it_is_shared_by_many_who_use_and_held_alone_by_one_who_changes(tmp_path: Path) -> None:
    path = tmp_path / "environment.lock"
    with acquire(path, "a probe", shared=True), acquire(path, "another probe", shared=True):
        with pytest.raises(LockBusy, match="another probe"):
            acquire(path, "pruning")
    with acquire(path, "pruning"), pytest.raises(LockBusy, match="pruning"):
        acquire(path, "a probe", shared=True)


def it_waits_as_long_as_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "gpu.lock"
    holder = subprocess.Popen(["flock", str(path), "sleep", "0.6"])
    while not path.exists():
        time.sleep(0.01)
    time.sleep(0.05)
    with pytest.raises(LockBusy):
        acquire(path, "me")
    acquire(path, "me", wait_seconds=5.0).release()
    holder.wait(5)


def it_stays_held_while_somebody_who_inherited_it_lives(tmp_path: Path) -> None:
    """A supervisor is SIGKILLed; its guard still ends the probe's processes: the retry must find the GPU taken."""
    path = tmp_path / "gpu.lock"
    lock = acquire(path, "a zombie")
    guard = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(lock.descriptor,))
    lock.leave_to_inheritors()
    with pytest.raises(LockBusy, match="a zombie"):
        acquire(path, "the retry")
    guard.communicate(b"\n", timeout=10)
    acquire(path, "the retry").release()


def it_may_be_released_twice(tmp_path: Path) -> None:
    lock = acquire(tmp_path / "x.lock", "me")
    lock.release()
    lock.release()
    lock.leave_to_inheritors()


def it_gives_each_probe_a_folder_of_its_own_and_removes_it(tmp_path: Path) -> None:
    with workplace(tmp_path) as (folders, lock):
        assert folders.scratch.is_dir()
        assert folders.home.is_dir()
        assert lock.descriptor >= 0
        with workplace(tmp_path) as (others, _):
            assert others.work != folders.work
    assert list((tmp_path / "probes").iterdir()) == []
    assert (tmp_path / "cache" / "huggingface").is_dir()


def it_sweeps_what_a_killed_probe_left_and_nothing_else(tmp_path: Path) -> None:
    place = tmp_path / "probes"
    with workplace(tmp_path) as (mine, _):
        own = mine.work.name.rpartition("-")[0]
    hours = {
        f"{own}-dead": 1,
        f"{own}-young": 0,
        f"{own}-alive": 1,
        "probe-elsewhere-now": 1,
        "probe-elsewhere-old": 25,
    }
    for name, age in hours.items():
        (place / name).mkdir(parents=True)
        (place / name / "owner.lock").touch()
        os.utime(place / name, (time.time() - 3600 * age,) * 2)
    with acquire(place / f"{own}-alive" / "owner.lock", "alive"), workplace(tmp_path):
        pass
    left = {f"{own}-alive", f"{own}-young", "probe-elsewhere-now"}
    assert {folder.name for folder in place.iterdir()} == left, "a lock of another host cannot be seen from here"


def it_says_so_where_a_file_system_has_no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some network file systems; no such mount can be made here, so the kernel's refusal is played."""

    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError, match="its file system has no locks: No locks available"):
        acquire(tmp_path / "gpu.lock", "me")
