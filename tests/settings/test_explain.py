"""config check prints every setting in force, where it came from, and no secret."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from rich.console import Console

from kronos_health.settings.errors import SettingsError
from kronos_health.settings.explain import mask_url, render_problems, render_settings, rows
from kronos_health.settings.loading import LoadedSettings, check_reachable, load_settings
from kronos_health.settings.shape import leaves

ROOT = Path(__file__).resolve().parents[2]


def load(folder: Path, text: str, **environ: str) -> LoadedSettings:
    path = folder / "kronos_health.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path, environ)


def printed(*renderables: object) -> str:
    console = Console(width=200, record=True, file=None, quiet=True)
    with console.capture() as capture:
        console.quiet = False
        console.print(*renderables)
    return capture.get()


def it_shows_value_and_origin_of_every_setting(tmp_path: Path) -> None:
    loaded = load(tmp_path, "[probe]\niterations = 6\n", KRONOS_HEALTH__PROBE__SEED="7")
    found = {row.key: row for row in rows(loaded)}
    assert found["probe.iterations"].value == "6"
    assert found["probe.iterations"].origin == "kronos_health.toml"
    assert found["probe.seed"].origin == "environment variable KRONOS_HEALTH__PROBE__SEED"
    assert found["probe.memory_limit_mb"].value == "(not set)"
    assert [row.key for row in rows(loaded, changed_only=True)] == ["probe.iterations", "probe.seed"]


def it_masks_every_secret(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        "[database]\nurl = 'postgresql://kronos:hunter2@db/history'\n"
        "[slack]\ntoken = 'xoxb-hunter2'\nwebhook_url = 'https://hooks.example/hunter2'\n"
        "[heartbeat]\nurl = 'https://ping.example/hunter2'\n[targets.kronos.options]\nhub_token = 'hunter2'\n",
    )
    text = printed(render_settings(loaded))
    assert "hunter2" not in text
    assert "postgresql://kronos:********@db/history" in text


def it_masks_a_password_that_was_not_quoted() -> None:
    assert mask_url("postgresql://u:a@b:c/d@host/db") == "postgresql://u:********@host/db"
    assert mask_url("postgresql://host/db?user=u&password=p@ss&sslmode=require").count("p@ss") == 0
    assert mask_url("sqlite:////var/history.db") == "sqlite:////var/history.db"


def it_prints_brackets_in_values_as_they_are(tmp_path: Path) -> None:
    loaded = load(tmp_path, "[logs.patterns]\nprediction_completed = '[bold]done[/bold]'\n")
    assert "[bold]done[/bold]" in printed(render_settings(loaded))


def it_says_when_all_is_well_and_puts_errors_first(tmp_path: Path) -> None:
    assert "can be used" in printed(render_problems([]))
    loaded = load(tmp_path, "[sources.a]\npath = 'none.log'\n[production]\nenv_file = 'none'\n")
    text = printed(render_problems(check_reachable(loaded.settings, loaded.origins)))
    assert text.index("error: production.env_file") < text.index("warning: sources.a.path")


def it_never_shows_the_address_of_another_service(tmp_path: Path) -> None:
    text = "[apprise.urls]\nops = 'mailto://u:hunter22@mail.example'\n"
    found = {row.key: row for row in rows(load(tmp_path, text))}
    assert found["apprise.urls.ops"].value == "********"
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, "[apprise.urls]\nops = ['hunter22']\n")
    assert "hunter22" not in str(refused.value)


class DescribeTheShippedFiles:
    def it_watches_the_example_and_everything_it_names_is_there(self) -> None:
        for path in (ROOT / "kronos_health.toml", ROOT / "examples" / "production" / "kronos_health.toml"):
            loaded = load_settings(path, {})
            production = ROOT / "examples" / "production"
            assert loaded.settings.production.env_file == production / ".env.compile"
            assert Path(loaded.settings.sources["trade_stock_e2e"].path).parent.parent == production
            assert check_reachable(loaded.settings, loaded.origins) == ()

    def it_explains_every_key_with_its_true_default(self, tmp_path: Path) -> None:
        text = (ROOT / "kronos_health.toml").read_text(encoding="utf-8")
        defaults = load(tmp_path, "[sources.trade_stock_e2e]\npath = 'x'\n").settings
        assert sorted(documented(text)) == sorted(".".join(parts) for parts in keys(defaults))

    def it_can_be_used_with_every_commented_key_in_force(self, tmp_path: Path) -> None:
        text = (ROOT / "kronos_health.toml").read_text(encoding="utf-8")
        loaded = load(tmp_path, "\n".join(uncommented(text)))
        assert loaded.settings.logs.max_seconds == 240.0


def keys(settings: object) -> set[tuple[str, ...]]:
    """Key paths as a person writes them: a table of free names is one key."""
    free = {("production", "expected"), ("production", "forbidden"), ("logs", "patterns")}
    found = set()
    for parts, _value in leaves(settings):
        found.add(next((parts[:2] for prefix in free if parts[:2] == prefix), parts))
    return found


def uncommented(text: str) -> list[str]:
    lines = []
    for line in text.splitlines():
        name = line.removeprefix("# ").split(" = ")[0]
        lines.append(line.removeprefix("# ") if " = " in line and name.replace("_", "").isalnum() else line)
    return lines


def documented(text: str) -> list[str]:
    content = tomllib.loads("\n".join(uncommented(text)))
    free = {"production.expected", "production.forbidden", "logs.patterns", "alerts.kinds", "switch.carried"}
    free |= {"targets.kronos.options", "targets.kronos.compiled_env", "heartbeat.slugs", "apprise.urls"}
    free |= {"sources.trade_stock_e2e.options"}
    return list(flat(content, "", free))


def flat(table: dict[str, object], prefix: str, free: set[str]) -> list[str]:
    found = []
    for name, value in table.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict) and key not in free:
            found += flat(value, f"{key}.", free)
        else:
            found.append(key)
    return found
