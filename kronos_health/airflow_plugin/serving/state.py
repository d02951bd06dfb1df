"""What ``up`` keeps under the state folder: its lock, its secrets, the login."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from kronos_health.checks.errors import CheckError
from kronos_health.probe.locks import HeldLock, LockBusy, acquire

USER = "admin"
_SECRET_BYTES = 64  # PyJWT warns below, and the key must be as long as the digest of HS512
_ENDING_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything of Airflow lives: ``home`` is AIRFLOW_HOME."""

    state: Path

    @property
    def home(self) -> Path:
        """AIRFLOW_HOME."""
        return self.state / "airflow"

    @property
    def logs(self) -> Path:
        """Logs of tasks and, under ``components``, of Airflow's own processes."""
        return self.home / "logs"

    @property
    def components(self) -> Path:
        """Logs of the scheduler, the dag-processor, the api-server and the triggerer."""
        return self.home / "components"

    @property
    def database(self) -> Path:
        """Airflow's metadata database."""
        return self.home / "airflow.db"

    @property
    def passwords(self) -> Path:
        """The simple auth manager's file: user → password."""
        return self.home / "passwords.json"

    @property
    def lock(self) -> Path:
        """Held by the one ``up`` that runs on this folder, and by the keeper until its processes have ended."""
        return self.home / "up.lock"

    @property
    def user_home(self) -> Path:
        """HOME of Airflow's processes."""
        return self.home / "home"

    @property
    def caches(self) -> Path:
        """XDG_CACHE_HOME of Airflow's processes."""
        return self.state / "cache"

    def make(self) -> None:
        """Create the folders. Raises ``CheckError`` where that is not possible."""
        try:
            for folder in (self.home, self.logs, self.components, self.user_home, self.caches):
                folder.mkdir(parents=True, exist_ok=True)
            self.home.chmod(0o700)  # secrets and the metadata database are inside
        except OSError as error:
            raise CheckError(
                f"the state folder {self.state} cannot be written ({error.strerror}). "
                "Name another one with state_dir or KRONOS_HEALTH_STATE_DIR."
            ) from error


@dataclass(frozen=True, slots=True)
class Secrets:
    """Made once and kept, so that a second start has the same login and open sessions stay open."""

    jwt: str
    api: str
    password: str


def take_lock(layout: Layout) -> tuple[HeldLock, str | None]:
    """The lock of the state folder, and the pid of an earlier ``up`` that ended without tidying up, if one did.

    A killed ``up`` leaves the lock to its keeper for the seconds that ending Airflow takes; those are waited for.
    Raises ``CheckError`` naming the process when another ``up`` runs.
    """
    try:
        before = layout.lock.read_text(encoding="utf-8").strip() or None
    except OSError:
        before = None
    # Another start that is alive is refused at once, one whose keeper is still ending Airflow is waited for.
    wait = 0.0 if before and _alive(before) else _ENDING_SECONDS
    try:
        return acquire(layout.lock, str(os.getpid()), wait), before
    except LockBusy as busy:
        raise CheckError(
            f"kronos-health up already runs on {layout.state} (process {busy}). Use its page, end it with Ctrl-C, or "
            "start on another state folder."
        ) from busy


def forget_run(lock: HeldLock) -> None:
    """Write down that this run ended tidily."""
    os.ftruncate(lock.descriptor, 0)


def _alive(pid: str) -> bool:
    return pid.isdigit() and Path(f"/proc/{pid}").exists()


def secrets_of(layout: Layout) -> Secrets:
    """The secrets of this folder, made and stored (mode 0600) on the first start."""
    return Secrets(
        jwt=_kept(layout.home / "jwt_secret"),
        api=_kept(layout.home / "api_secret"),
        password=_password(layout),
    )


def _kept(path: Path) -> str:
    """The secret in ``path``, made first if it is not there or was cut off."""
    found = path.read_text(encoding="utf-8").strip() if path.exists() else ""
    if len(found) < _SECRET_BYTES:
        found = secrets.token_urlsafe(_SECRET_BYTES)
        _write_private(path, found)
    return found


def _password(layout: Layout) -> str:
    """The login's password, in the file where the simple auth manager looks for it."""
    try:
        known = json.loads(layout.passwords.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    if not isinstance(known, dict) or not known.get(USER):
        known = {USER: secrets.token_urlsafe(12)}
        _write_private(layout.passwords, json.dumps(known))
    return str(known[USER])


def _write_private(path: Path, text: str) -> None:
    """Write ``text`` so that nobody else can read it at any moment and a crash leaves the old file or the new one."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)
