"""A next step as the person who pastes it would meet it: the shell reads it, and the command line takes it."""

from __future__ import annotations

import shlex
import subprocess

import typer
from typer.core import TyperGroup

from kronos_health.cli.main import app
from kronos_health.settings.command import PROGRAM
from kronos_health.store.history import list_queries

OTHER_PROGRAMS = frozenset({"nvidia-smi"})


def refused(step: str) -> str | None:
    """Why ``step`` cannot be pasted, or ``None``: every option, argument and query in it is one that exists."""
    shell = subprocess.run(["bash", "-n"], input=step, text=True, capture_output=True, check=False)
    if shell.returncode or shell.stderr:
        return shell.stderr
    words = shlex.split(step, comments=True)
    if not words or words[0] in OTHER_PROGRAMS:
        return None if words else "it is only a comment"
    if words[0] != PROGRAM:
        return f"it begins with {words[0]}"
    try:
        return _parse(words[1:])
    except Exception as error:  # whatever the parser says: typer carries its own copy of click's errors
        return str(error)


def _parse(words: list[str]) -> str | None:
    command = typer.main.get_command(app)
    context = command.make_context(PROGRAM, list(words))
    while isinstance(command, TyperGroup):
        left = [*context._protected_args, *context.args]
        if not left and command.invoke_without_command:
            return None
        _name, found, words = command.resolve_command(context, left)
        assert found is not None
        command = found
        context = command.make_context(command.name, list(words), parent=context)
    return _unknown_query(context.params) if command.name == "query" else None


def _unknown_query(given: dict[str, object]) -> str | None:
    query = next((query for query in list_queries() if query.name == given["name"]), None)
    if query is None:
        return f"there is no query {given['name']}"
    params = given["param"]
    assert isinstance(params, list | tuple)
    wrong = {text.partition("=")[0] for text in params} - {parameter.name for parameter in query.parameters}
    return f"the query takes no {', '.join(wrong)}" if wrong else None
