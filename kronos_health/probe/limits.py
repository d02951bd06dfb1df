"""How much memory a probe may take, and who watches it.

A cgroup where one can be made, the tree's resident size always. An address-space limit (RLIMIT_AS) is no answer: CUDA
reserves terabytes of addresses and fails under one.
"""

from __future__ import annotations

import itertools
import os
import resource
import time
from pathlib import Path

import psutil

from kronos_health.probe.guard import descendants

MIB = 1024 * 1024
SHARE_OF_FREE_MEMORY = 0.8
CGROUP_ROOT = Path("/sys/fs/cgroup")
_TREE_EVERY_SECONDS = 1.0
_numbers = itertools.count()


def default_limit_mb() -> float:
    """80 % of what is free now, in MiB: of the machine's memory, or of this container's where it has less."""
    free = [float(psutil.virtual_memory().available), *_free_in_own_cgroups(CGROUP_ROOT, _own_cgroups())]
    return SHARE_OF_FREE_MEMORY * min(free) / MIB


def _own_cgroups() -> dict[str, str]:
    """The paths in /proc/self/cgroup by controller; the key of version 2 is ``""``."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return {}
    split = (line.split(":", 2) for line in lines)
    return {controllers: path for _, controllers, path in split}


def _free_in_own_cgroups(root: Path, own: dict[str, str]) -> list[float]:
    """Bytes left under the memory limits of the own cgroup (both versions), and of its parents in version 2."""
    free = []
    if "memory" in own:
        for folder in (root / "memory" / own["memory"].lstrip("/"), root / "memory"):
            free += _room(folder / "memory.limit_in_bytes", folder / "memory.usage_in_bytes")
    if "" in own:
        folder = root / own[""].lstrip("/")
        for level in (folder, *folder.parents):
            free += _room(level / "memory.max", level / "memory.current")
            if level == root:
                break
    return free


def _room(limit: Path, usage: Path) -> list[float]:
    try:
        return [max(float(limit.read_text()) - float(usage.read_text()), 0.0)]
    except (OSError, ValueError):  # no such controller, or "max"
        return []


class MemoryWatch:
    """The memory of everything below a process, in MiB.

    Resident sizes are summed first. They count shared pages once per process (torch's compile workers share most of
    theirs), so only a sum above the limit is looked at again by proportional size before anyone is ended for it.
    """

    def __init__(self, root: int, limit_mb: float | None) -> None:
        self.limit_mb = limit_mb
        self.peak_mb = 0.0
        self.known: dict[int, float] = {}  # pid → creation time, for the case that the guard is lost
        self._root = root
        self._looked_at = float("-inf")

    def look(self) -> float | None:
        """The tree's size when it is above the limit, else ``None``. Cheap enough for every tick."""
        if time.monotonic() - self._looked_at > _TREE_EVERY_SECONDS:
            self._looked_at = time.monotonic()
            self.known = {pid: self.known.get(pid) or _created(pid) for pid in descendants(self._root)}
        size = sum(_resident_mb(pid) for pid in self.known)
        self.peak_mb = max(self.peak_mb, size)
        if self.limit_mb is None or size <= self.limit_mb:
            return None
        proportional = sum(_proportional_mb(pid) for pid in self.known)
        return proportional if proportional > self.limit_mb else None

    def survivors(self) -> list[int]:
        """The processes seen below the root that still live."""
        return [pid for pid, created in self.known.items() if created and _created(pid) == created]


def _created(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return 0.0


def _resident_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * resource.getpagesize() / MIB


def _proportional_mb(pid: int) -> float:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except (OSError, ValueError):
        pass
    return _resident_mb(pid)


def kernel_oom_kills() -> int:
    """How many processes the kernel has ended for want of memory since it started; 0 where it does not say."""
    try:
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    except (OSError, ValueError):
        pass
    return 0


class Cgroup:
    """A group (version 2) of our own with a hard memory limit, where the system lets us make one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def make(cls, limit_mb: float, root: Path = CGROUP_ROOT, own: str | None = None) -> Cgroup | None:
        """A group beside this process' own one; ``None`` where the memory controller is not delegated to us."""
        path = _own_cgroups().get("") if own is None else own
        if not path or path == "/":
            return None
        parent = (root / path.lstrip("/")).parent
        group = cls(parent / f"kronos-health-{os.getpid()}-{next(_numbers)}")
        try:
            if "memory" not in (parent / "cgroup.subtree_control").read_text().split():
                return None
            group.folder.mkdir()
            (group.folder / "memory.max").write_text(str(int(limit_mb * MIB)))
            if (group.folder / "memory.swap.max").exists():
                (group.folder / "memory.swap.max").write_text("0")
        except OSError:
            group.remove()
            return None
        return group

    def add(self, pid: int) -> bool:
        """Move ``pid`` here, with all that it will start; false where that is not allowed."""
        try:
            (self.folder / "cgroup.procs").write_text(str(pid))
        except OSError:
            return False
        return True

    def was_hit(self) -> bool:
        """True when the kernel ended a process here because the group was at its limit."""
        try:
            lines = (self.folder / "memory.events").read_text().splitlines()
        except OSError:
            return False
        return any(line.startswith("oom_kill ") and line.split()[1] != "0" for line in lines)

    def remove(self) -> None:
        """Remove the group; one that still holds processes is left to the system."""
        try:
            self.folder.rmdir()
        except OSError:
            return
