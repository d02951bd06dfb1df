"""Object storage as Airflow knows it: the file system of a source's address, with the credentials of a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kronos_health.logs.errors import LogProblem
from kronos_health.logs.objects import fsspec_filesystem
from kronos_health.settings.models import Source

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


def open_storage(source: Source) -> AbstractFileSystem:
    """The file system that ``ObjectStoragePath`` has for the source; without a connection that of fsspec alone.

    Raises :class:`LogProblem` with one line where Airflow cannot open it.
    """
    if not source.airflow_connection:
        return fsspec_filesystem(source)
    from airflow.sdk import ObjectStoragePath

    try:
        found: AbstractFileSystem = ObjectStoragePath(source.path, conn_id=source.airflow_connection).fs
    except Exception as error:  # of whichever provider the connection needs
        reason = " ".join(str(error).split())[:300]
        raise LogProblem(
            f"{source.path} cannot be opened with the Airflow connection {source.airflow_connection!r} ({reason}). "
            "Check the connection, and that its provider is installed."
        ) from error
    return found
