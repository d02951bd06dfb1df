"""Weights from a local folder or a hub id. Only safetensors: a pickle is a program, and is never loaded."""

# ruff: noqa: TID252 - the folder travels without its package: every import inside is relative

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import BadInput
from .revision import digest

HUB_ID = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
NAMED = 3  # how many misfits an error names


def find_folder(reference: str, what: str) -> Path:
    """The local folder for ``reference``: a path, or a hub id ``owner/name[@revision]`` (kept in the hub's cache)."""
    folder = Path(reference).expanduser()
    if folder.is_dir():
        return folder
    found = HUB_ID.fullmatch(reference)
    if found is None or reference.startswith("."):
        raise BadInput(f"{what} {reference}: no such folder; give a folder with *.safetensors or a hub id owner/name")
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise BadInput(
            f"{what} {reference}: this interpreter has no huggingface_hub; install it or use a folder"
        ) from error
    try:
        patterns = ["*.safetensors", "*.json"]
        got = snapshot_download(found["repository"], revision=found["revision"], allow_patterns=patterns)
    except Exception as error:  # the hub's client raises its own, requests' and the system's errors
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BadInput(f"{what} {reference} is neither a local folder nor could it be fetched: {reason}") from error
    return Path(got)


def read_config(folder: Path, what: str) -> dict[str, Any] | None:
    """The shapes in ``config.json`` beside the weights, or None where there is none."""
    path = folder / "config.json"
    if not path.is_file():
        return None
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{what}: {path} cannot be read as JSON: {error}") from error
    if not isinstance(config, dict):
        raise BadInput(f"{what}: {path} is not a JSON object")
    return config


def load_weights(
    module: Any, folder: Path, what: str, rename: Callable[[dict[str, Any]], dict[str, Any]] | None = None
) -> str:
    """Fill ``module`` from the safetensors in ``folder``; returns their digest. :class:`BadInput` on any misfit.

    ``rename`` turns what was stored into what the module calls it.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        pickled = [path.name for pattern in PICKLES for path in folder.glob(pattern)]
        hint = f" (only {pickled[0]}: pickled weights are never loaded, convert them)" if pickled else ""
        raise BadInput(f"{what}: {folder} holds no *.safetensors{hint}")
    state = _read_state(files, what)
    if rename is not None:
        state = rename(state)
    _check_fit(module, state, f"{what} {folder}")
    module.load_state_dict(state, strict=False)
    return digest(files)


def _read_state(files: list[Path], what: str) -> dict[str, Any]:
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise BadInput(f"{what}: this interpreter has no safetensors; install it") from error
    state: dict[str, Any] = {}
    for path in files:
        try:
            state.update(load_file(path))
        except Exception as error:  # safetensors raises its own error class, and the system's
            raise BadInput(f"{what}: {path} is no readable safetensors file: {error}") from error
    return state


def _check_fit(module: Any, state: dict[str, Any], what: str) -> None:
    """Every parameter must be there with its shape; buffers are computed and may be absent."""
    wanted = module.state_dict()
    parameters = {name for name, _ in module.named_parameters()}
    problems = [f"{name} is missing" for name in wanted if name in parameters and name not in state]
    problems += [f"{name} is not in the model" for name in state if name not in wanted]
    problems += [
        f"{name} has shape {list(value.shape)}, the model wants {list(wanted[name].shape)}"
        for name, value in state.items()
        if name in wanted and value.shape != wanted[name].shape
    ]
    if problems:
        more = f" and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
        raise BadInput(f"{what}: the weights do not fit {type(module).__name__}: {'; '.join(problems[:NAMED])}{more}")
