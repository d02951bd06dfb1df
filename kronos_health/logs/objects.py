"""Logs in object storage, through fsspec: objects that are immutable, or rewritten whole. Only new bytes are fetched.

What the storage says of an object (its etag, else size and time) only spares opening it; which generation it is, its
content says, as with files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from kronos_health.domain.logs import Generation
from kronos_health.logs.content import Content, StreamContent, compression_of
from kronos_health.logs.errors import LogProblem
from kronos_health.logs.generation import sha256
from kronos_health.logs.looking import Look, settled_by_hint
from kronos_health.logs.opening import HEAD_LENGTH, OpenLog
from kronos_health.logs.places import Log, Places, grouped, live_of
from kronos_health.settings.models import Source

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_TIMES = ("LastModified", "last_modified", "mtime", "updated", "created")
_VERSIONS = ("ETag", "etag", "md5Hash", "generation", "content_md5")
_UNKNOWN_AGE = 3600.0  # seconds ago: what has no time is neither new nor of another year
_LINKS = ("http", "https")  # cannot be listed
_WORDS = {"true": True, "false": False}

OpenStorage = Callable[[Source], "AbstractFileSystem"]


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as the storage lists it. ``mark`` is equal while its content is; ``None`` where that is not known."""

    address: str
    key: str
    size: int
    modified_ns: int
    mark: str | None


def fsspec_filesystem(source: Source) -> AbstractFileSystem:
    """The file system of a source's address. Credentials come from its options, else from where its library finds them.

    Raises :class:`LogProblem` for an address of an unknown kind, or one whose library is not installed.
    """
    import fsspec

    address, options = source.path, {name: _WORDS.get(value, value) for name, value in source.options.items()}
    try:
        found: AbstractFileSystem = fsspec.core.url_to_fs(address, **options)[0]
    except ImportError as error:
        raise LogProblem(f"{address} needs another package ({error}). Install it beside kronos-health.") from error
    except Exception as error:
        raise LogProblem(f"{address} cannot be opened ({_line(error)}). Check its path and options.") from error
    return found


class Storage:
    """The objects of one source. Every failure is a :class:`LogProblem` with one line."""

    def __init__(self, address: str, filesystem: AbstractFileSystem) -> None:
        self.address, self._files = address, filesystem
        self._protocol = address.partition("://")[0]

    def listed(self) -> tuple[list[StoredObject], set[str]]:
        """The objects at the address and those called like rotations of them; and which addresses were asked for."""
        with self._told():
            self._files.invalidate_cache()
            pattern = str(self._files._strip_protocol(self.address))
            if not any(sign in pattern for sign in "*?["):
                try:
                    about = self._files.info(pattern)
                except FileNotFoundError:
                    if self._protocol in _LINKS:
                        raise  # said of every failure
                    about = {}
                if about.get("type") == "directory":
                    pattern = f"{pattern.rstrip('/')}/*"
                elif self._protocol in _LINKS:
                    found = [self._described(pattern, about)]
                    return found, {item.address for item in found}
            found = [self._described(key, about) for key, about in self._globbed(pattern)]
            return found, {item.address for item in found if _matches(item.key, pattern)}

    def _globbed(self, pattern: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        wider = pattern if pattern.endswith("*") else f"{pattern}*"
        listing = self._files.glob(wider, detail=True)
        return ((key, about) for key, about in sorted(listing.items()) if about.get("type") != "directory")

    def stat(self, item: StoredObject) -> StoredObject:
        """What the storage says of the object now."""
        with self._told(item.address):
            self._files.invalidate_cache()
            return self._described(item.key, self._files.info(item.key))

    def _described(self, key: str, about: Mapping[str, Any]) -> StoredObject:
        size, modified = int(about.get("size") or 0), _time(about)
        version = next((str(about[name]) for name in _VERSIONS if about.get(name)), "")
        known = version or modified is not None
        mark = f"object:{sha256(f'{key} {version} {size} {modified}'.encode())}" if known else None
        seconds = datetime.now(UTC).timestamp() - _UNKNOWN_AGE if modified is None else modified
        address = str(self._files.unstrip_protocol(key))
        return StoredObject(address, key, size, int(seconds * 1e9), mark)

    def read(self, item: StoredObject, start: int, end: int) -> bytes:
        """The bytes of the object in ``[start, end)``; fewer where it has become shorter."""
        with self._told(item.address):
            data = bytes(self._files.cat_file(item.key, start=start, end=end))
            return data if len(data) <= end - start else data[start:end]  # a server that knows no ranges sent it all

    def opened(self, item: StoredObject) -> IO[bytes]:
        """The object from its beginning."""
        with self._told(item.address):
            file: IO[bytes] = self._files.open(item.key, "rb")
            return file

    @contextmanager
    def _told(self, address: str | None = None) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # each storage raises errors of its own library
            raise LogProblem(
                f"{address or self.address} cannot be read ({_line(error)}). Check address, network and credentials; "
                "reading goes on where it stopped."
            ) from error


class RangeContent:
    """An object that is not compressed: each read fetches just its range. See :class:`Content`."""

    def __init__(self, storage: Storage, item: StoredObject) -> None:
        self.compression: str | None = None
        self.known_size: int | None = item.size
        self.damage: str | None = None
        self._storage, self._item = storage, item

    def read(self, offset: int, length: int) -> memoryview:
        """See :class:`Content`."""
        end = min(offset + length, self._item.size)
        return memoryview(self._storage.read(self._item, offset, end) if end > offset else b"")


@dataclass(slots=True)
class OpenObject(OpenLog):
    """An object as an opened log; nothing is held open."""

    storage: Storage | None = None
    item: StoredObject | None = None

    @property
    def address(self) -> str:
        """Where it is."""
        return str(self.path)

    def unchanged(self) -> bool:
        """Whether the storage still has what was listed."""
        if self.storage is None or self.item is None:
            return False
        now = self.storage.stat(self.item)
        return (now.mark, now.size) == (self.item.mark, self.item.size)

    def close(self) -> None:
        """Nothing to close."""


def open_object(storage: Storage, item: StoredObject, *, live: bool) -> OpenObject:
    """``item`` ready for reading. Raises :class:`LogProblem`."""
    head = storage.read(item, 0, min(HEAD_LENGTH, item.size)) if item.size else b""
    try:
        compression = compression_of(head[:8])
    except LogProblem as problem:
        raise LogProblem(f"{item.address} {problem}.") from problem
    content: Content = RangeContent(storage, item)
    if compression:
        content = StreamContent(lambda: storage.opened(item), compression)
        head = bytes(content.read(0, HEAD_LENGTH))
    return OpenObject(
        path=item.address, live=live, descriptor=-1, device=0, inode=None, size=item.size, modified_ns=item.modified_ns,
        content=content, head=head, mark=item.mark, grows=False, storage=storage, item=item,
    )  # fmt: skip


class StoredLogs:
    """The logs of ``source`` in its storage, given its ``known`` generations. Raises :class:`LogProblem`."""

    def __init__(self, source: Source, known: Sequence[Generation], open_storage: OpenStorage) -> None:
        self._storage = Storage(source.path, open_storage(source))
        listed, asked_for = self._storage.listed()
        self._addresses = {live_of(item): item.live_path for item in known} | {Path(item): item for item in asked_for}
        lives, root = grouped(self._addresses, ())
        self._objects: dict[Path, list[StoredObject]] = {live: [] for live in lives}
        for item in listed:
            if (live := root(Path(item.address))) in self._objects:
                self._objects[live].append(item)
        self.places = Places(tuple(sorted(self._logs(), key=lambda log: (log.modified_ns, log.live))), several=True)

    def _logs(self) -> Iterator[Log]:
        for live, items in self._objects.items():
            latest = max((item.modified_ns for item in items), default=0)
            siblings = tuple(Path(item.address) for item in items)
            yield Log(live, siblings, modified_ns=latest, address=self._addresses[live])

    @contextmanager
    def looked(self, log: Log, known: Sequence[Generation]) -> Iterator[Look]:
        """The objects of one log; those that are as they were when they were read are not opened."""
        items = self._objects[log.live]
        settled, look = settled_by_hint(known), Look(candidates=len(items))
        for item in items:
            generation = settled.get(item.mark or "")
            if generation is not None:
                look.unchanged.append(generation)
                continue
            try:
                look.logs.append(open_object(self._storage, item, live=Path(item.address) == log.live))
            except LogProblem as problem:
                look.problems.append(str(problem))
                look.certain = False
        yield look


def is_address(path: str) -> bool:
    """Whether a source's path is an address of a storage, such as ``s3://bucket/logs``."""
    return "://" in path


def _matches(key: str, pattern: str) -> bool:
    """As the storage's own ``glob``, of which this key is a result: only the last part can differ."""
    return fnmatchcase(key.rpartition("/")[2], pattern.rpartition("/")[2])


def _time(about: Mapping[str, Any]) -> float | None:
    for name in _TIMES:
        value = about.get(name)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, int | float):
            return float(value)
        if isinstance(value, str):
            with suppress(ValueError):
                return datetime.fromisoformat(value).timestamp()
    return None


def _line(error: BaseException) -> str:
    cause = f", {type(error.__cause__).__name__}: {error.__cause__}" if error.__cause__ else ""
    return " ".join(f"{type(error).__name__}: {error}{cause}".split())[:300]
