"""The environment of Airflow's processes: all of their configuration, and no file outside the state folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kronos_health.airflow_plugin.cleaning import DATABASE_VARIABLE
from kronos_health.airflow_plugin.serving.state import USER, Layout, Secrets
from kronos_health.settings.loading import CONFIG_VARIABLE, STATE_DIR_VARIABLE

PARALLELISM = 4  # tasks at once; more only take memory on a small machine
_SIMPLE = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
# Configuration of another Airflow on this machine must not leak in; its secrets backend may hold our connections.
_DROPPED = ("AIRFLOW__", "AIRFLOW_HOME", "AIRFLOW_CONFIG", "_AIRFLOW")
_KEPT = ("AIRFLOW__SECRETS__",)


@dataclass(frozen=True, slots=True)
class Address:
    """Where the api-server listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The address to open in a browser on this machine, and the one that workers use."""
        shown = "localhost" if self.host in {"", "0.0.0.0", "::", "127.0.0.1"} else self.host  # noqa: S104
        return f"http://{f'[{shown}]' if ':' in shown else shown}:{self.port}"


def dags_folder() -> Path:
    """``dags/`` inside the installed package, or of the checkout this package is run from."""
    package = Path(__file__).resolve().parents[2]
    inside = package / "dags"
    return inside if inside.is_dir() else package.parent / "dags"


def airflow_environment(
    parent: Mapping[str, str], layout: Layout, secrets: Secrets, address: Address, config: Path | None
) -> dict[str, str]:
    """The whole environment of Airflow's processes, made from the parent's."""
    passed = {name: value for name, value in parent.items() if name.startswith(_KEPT) or not name.startswith(_DROPPED)}
    options = _options(layout, secrets, address)
    return {
        **passed,
        **_personal(parent, layout),
        **{f"AIRFLOW__{name}": value for name, value in options.items()},
        "AIRFLOW_HOME": str(layout.home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{parent.get('PATH', os.defpath)}",
        "PYTHONUNBUFFERED": "1",
        "PYTHONSAFEPATH": "1",  # a folder named airflow where up was started is not imported
        "NO_PROXY": ",".join(filter(None, [parent.get("NO_PROXY", ""), "localhost", "127.0.0.1"])),
        "no_proxy": ",".join(filter(None, [parent.get("no_proxy", ""), "localhost", "127.0.0.1"])),
        STATE_DIR_VARIABLE: str(layout.state),
        DATABASE_VARIABLE: options["DATABASE__SQL_ALCHEMY_CONN"],
        **({CONFIG_VARIABLE: str(config)} if config else {}),
    }


def _options(layout: Layout, secrets: Secrets, address: Address) -> dict[str, str]:
    return {
        "CORE__DAGS_FOLDER": str(dags_folder()),
        "CORE__PLUGINS_FOLDER": str(layout.home / "plugins"),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": str(PARALLELISM),
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__AUTH_MANAGER": _SIMPLE,
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(layout.passwords),
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{layout.database}",
        "LOGGING__BASE_LOG_FOLDER": str(layout.logs),
        "API__HOST": address.host,
        "API__PORT": str(address.port),
        "API__BASE_URL": address.url,
        "API__WORKERS": "1",
        "API__SECRET_KEY": secrets.api,
        "API_AUTH__JWT_SECRET": secrets.jwt,
        # Measured: a failed or skipped task is otherwise reported up to five seconds late.
        "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        "WORKERS__MAX_FAILED_HEARTBEATS": "15",
        # Parsing all day long would disturb what the probes measure.
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
        "DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "DAG_PROCESSOR__PRINT_STATS_INTERVAL": "0",
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }


def _personal(parent: Mapping[str, str], layout: Layout) -> dict[str, str]:
    """A HOME of our own, so that nothing is written to the person's; their configuration stays readable.

    pip's and git's own files say which mirror to ask and how to log in to it.
    """
    found = {"HOME": str(layout.user_home), "XDG_CACHE_HOME": str(layout.caches)}
    home = Path(parent.get("HOME") or "/nonexistent")
    candidates = {
        "PIP_CONFIG_FILE": (home / ".config/pip/pip.conf", home / ".pip/pip.conf"),
        "GIT_CONFIG_GLOBAL": (home / ".gitconfig", home / ".config/git/config"),
        "NETRC": (home / ".netrc",),
        "PYTHONUSERBASE": (home / ".local",),
    }
    for name, paths in candidates.items():
        existing = next((path for path in paths if path.exists()), None)
        if name not in parent and existing is not None:
            found[name] = str(existing)
    return found
