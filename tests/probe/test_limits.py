"""Memory limits: what is free, and a cgroup where the system lets us make one."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from kronos_health.probe import limits
from kronos_health.probe.limits import Cgroup, MemoryWatch


def it_leaves_a_share_of_the_free_memory_to_others() -> None:
    free_mb = psutil.virtual_memory().available / limits.MIB
    assert 0 < limits.default_limit_mb() < free_mb


@pytest.mark.parametrize(
    ("own", "files", "room"),
    [
        ({"": "/app/me"}, {"app/me/memory.max": "1000", "app/me/memory.current": "400"}, [600.0]),
        ({"": "/app/me"}, {"app/me/memory.max": "max", "app/memory.max": "900", "app/memory.current": "1000"}, [0.0]),
        ({"": "/"}, {"memory.max": "1000", "memory.current": "1"}, [999.0]),  # a container sees its own as the root
        (
            {"memory": "/docker/1"},
            {"memory/docker/1/memory.limit_in_bytes": "50", "memory/docker/1/memory.usage_in_bytes": "20"},
            [30.0],
        ),
        ({}, {}, []),
    ],
)
def it_knows_the_room_in_its_own_container(
    tmp_path: Path, own: dict[str, str], files: dict[str, str], room: list[float]
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert limits._free_in_own_cgroups(tmp_path, own) == room


def it_makes_a_group_beside_its_own_where_memory_is_delegated(tmp_path: Path) -> None:
    """The files of cgroup version 2, as plain ones: what is written where is what is tested here."""
    (tmp_path / "user" / "shell").mkdir(parents=True)
    (tmp_path / "user" / "cgroup.subtree_control").write_text("cpu memory pids\n")
    group = Cgroup.make(100.0, tmp_path, "/user/shell")
    assert group is not None
    assert group.folder.parent == tmp_path / "user"
    assert (group.folder / "memory.max").read_text() == str(100 * 1024 * 1024)
    assert group.add(4711)
    assert (group.folder / "cgroup.procs").read_text() == "4711"
    assert not group.was_hit()
    (group.folder / "memory.events").write_text("low 0\nhigh 0\nmax 31\noom 1\noom_kill 1\n")
    assert group.was_hit()


@pytest.mark.parametrize(
    ("own", "controllers"), [("/user/shell", "cpu pids"), ("/", "memory"), ("/no/where", "memory")]
)
def it_makes_none_where_it_may_not(tmp_path: Path, own: str, controllers: str) -> None:
    (tmp_path / "user" / "shell").mkdir(parents=True)
    (tmp_path / "user" / "cgroup.subtree_control").write_text(controllers)
    assert Cgroup.make(100.0, tmp_path, own) is None
    assert [folder.name for folder in (tmp_path / "user").iterdir() if folder.is_dir()] == ["shell"]


def it_measures_a_process_that_is_already_gone_as_nothing() -> None:
    watch = MemoryWatch(2**22 + 1, 1.0)
    assert watch.look() is None
    assert (watch.peak_mb, watch.survivors()) == (0.0, [])


def it_counts_the_kernels_own_kills() -> None:
    said = [line for line in Path("/proc/vmstat").read_text().splitlines() if line.startswith("oom_kill ")]
    assert limits.kernel_oom_kills() == (int(said[0].split()[1]) if said else 0)
