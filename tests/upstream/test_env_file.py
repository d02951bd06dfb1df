"""The settings file is replaced whole or stays as it was, with its mode, owner and link."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kronos_health.upstream.env_file import Content, FileTrouble, backup_path, read, replace

BEFORE, AFTER = Content("export A=0\n"), Content("export A=1\n")
AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "production" / ".env.compile"
    path.parent.mkdir()
    path.write_bytes(BEFORE.data)
    path.chmod(0o640)
    return path


def backup(file: Path) -> Path:
    return backup_path(file, AT, "0199-abcdef")


def it_holds_the_new_content_and_keeps_the_old_beside_it_with_the_same_mode(file: Path) -> None:
    replace(file, BEFORE, AFTER, backup(file))
    assert (read(file), read(backup(file))) == (AFTER, BEFORE)
    assert backup(file).name == ".env.compile.20261123T120000Z.abcdef.bak"
    assert {stat.S_IMODE(path.stat().st_mode) for path in (file, backup(file))} == {0o640}
    assert len(list(file.parent.iterdir())) == 2


def it_writes_through_a_link_to_what_it_points_to(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(file)
    replace(link, BEFORE, AFTER, backup(link))
    assert link.is_symlink()
    assert read(file) == AFTER
    assert read(backup(file)) == BEFORE


def it_keeps_bytes_that_are_no_text(file: Path) -> None:
    odd = Content(b"# caf\xe9\r\nexport A=0".decode("utf-8", "surrogateescape"))
    file.write_bytes(odd.data)
    assert read(file) == odd
    assert odd.data.endswith(b"\xe9\r\nexport A=0")


def it_writes_nothing_over_what_somebody_else_just_wrote(file: Path) -> None:
    file.write_text("export A=5\n")
    with pytest.raises(FileTrouble, match="changed just now"):
        replace(file, BEFORE, AFTER, backup(file))
    assert file.read_text() == "export A=5\n"
    assert not [path for path in file.parent.iterdir() if path.name.startswith(".kronos-health-")]


@contextmanager
def nobody() -> Iterator[None]:
    """Root may write everywhere: for a while this process is nobody."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def it_says_which_folder_it_may_not_write_to() -> None:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / ".env.compile"
        file.write_bytes(BEFORE.data)
        file.parent.chmod(0o555)
        with nobody(), pytest.raises(FileTrouble, match=r"cannot be replaced: Permission denied \(.*\.env\.compile"):
            replace(file, BEFORE, AFTER, backup(file))
        file.parent.chmod(0o755)
        assert (read(file), list(file.parent.iterdir())) == (BEFORE, [file])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def it_keeps_the_owner(file: Path) -> None:
    os.chown(file, 12345, 12346)
    replace(file, BEFORE, AFTER, backup(file))
    for path in (file, backup(file)):
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12346)


def it_leaves_the_file_alone_when_its_owner_cannot_be_kept(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_arguments: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("kronos_health.upstream.env_file._same_owner", refused)
    with pytest.raises(FileTrouble, match="Operation not permitted"):
        replace(file, BEFORE, AFTER, backup(file))
    assert (read(file), list(file.parent.iterdir())) == (BEFORE, [file])


def it_sweeps_away_what_a_killed_try_left(file: Path) -> None:
    (file.parent / ".kronos-health-.env.compile.abc").write_text("half")
    replace(file, BEFORE, AFTER, backup(file))
    assert {path.name for path in file.parent.iterdir()} == {file.name, backup(file).name}


@pytest.mark.parametrize("content", [b"\0", b"x" * (1024**2 + 1)])
def it_reads_no_file_that_cannot_be_settings(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(FileTrouble, match="no settings file"):
        read(file)


def it_names_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileTrouble, match="No such file"):
        read(tmp_path / "none")
