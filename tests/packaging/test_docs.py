"""What the documents promise exists: files, commands, targets of make, settings."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import typer

from kronos_health.cli.main import app
from kronos_health.settings.loading import load_settings

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])

_LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)")
_COMMAND = re.compile(r"kronos-health ((?:db|config) )?([a-z]+(?:-[a-z]+)*)")
_TOML = re.compile(r"^( *)```toml\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]+`|^ *```sh\n.*?^ *```", re.MULTILINE | re.DOTALL)

documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())


def _code(document: Path) -> str:
    return "\n".join(_CODE.findall(document.read_text(encoding="utf-8")))


def _commands() -> set[str]:
    group = typer.main.get_command(app)
    names = set(group.commands)  # type: ignore[attr-defined]
    inner = {f"{name} {inner}" for name in ("db", "config") for inner in group.commands[name].commands}  # type: ignore[attr-defined]
    return names | inner


class DescribeDocuments:
    @documents
    def it_links_to_files_that_are_there(self, document: Path) -> None:
        links = _LINK.findall(document.read_text(encoding="utf-8"))
        assert [link for link in links if not (document.parent / link).exists()] == []

    @pytest.mark.parametrize("document", [*DOCUMENTS, *ROOT.glob("dags/*.py")], ids=lambda path: path.name)
    def it_names_commands_that_exist(self, document: Path) -> None:
        named = {f"{group}{command}" for group, command in _COMMAND.findall(_code(document))}
        assert named - _commands() == set()

    @documents
    def it_names_targets_of_make_that_exist(self, document: Path) -> None:
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
        named = set(re.findall(r"(?<![/\w-])make ([a-z-]+)", _code(document)))
        assert named - targets == set()

    @documents
    def it_shows_settings_that_are_accepted(self, document: Path, tmp_path: Path) -> None:
        for indent, block in _TOML.findall(document.read_text(encoding="utf-8")):
            shown = tmp_path / "kronos_health.toml"
            shown.write_text(re.sub(f"^{indent}", "", block, flags=re.MULTILINE), encoding="utf-8")
            load_settings(shown, {})

    def it_starts_with_the_two_commands(self) -> None:
        code = re.search(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
        assert code is not None
        assert [line.split("#")[0].strip() for line in code[1].splitlines()] == ["make up", "make test"]

    def it_lists_every_command_in_the_readme(self) -> None:
        table = (ROOT / "README.md").read_text(encoding="utf-8").split("## Commands")[1].split("\n## ")[0]
        listed = set(re.findall(r"`([a-z]+(?:-[a-z]+)*)", table))
        assert {name.partition(" ")[0] for name in _commands()} - listed == set()

    def it_lists_every_target_in_the_help(self) -> None:
        printed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert phony is not None
        hidden = {"preflight", "preflight-test", "preflight-slow"}
        assert [name for name in phony[1].split() if name not in hidden and f"make {name} " not in printed] == []
