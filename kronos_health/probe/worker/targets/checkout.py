"""Kronos from an upstream checkout, whose package is called plainly ``model``.

Its ``model/kronos.py`` appends ``../`` to ``sys.path`` and imports ``model.module`` by name. So the package is loaded
from the checkout by explicit spec under that very name, stays in ``sys.modules`` (torch.compile looks them up there),
``sys.path`` is put back, and every ``model*`` module must lie in the checkout.
"""

# ruff: noqa: TID252 - the folder travels without its package: every import inside is relative

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from ..errors import BadInput
from ..spec import WorkerSpec
from . import Builder
from .kronos import build
from .revision import code_revision

PACKAGE = "model"
CLASSES = ("Kronos", "KronosTokenizer", "KronosPredictor")


def import_checkout(spec: WorkerSpec) -> Builder:
    """Import the checkout's ``model`` package; raises :class:`BadInput` when it is not there or not whole."""
    if spec.target.checkout is None:
        raise BadInput("target.loader is kronos_checkout: set target.checkout to the folder that holds model/")
    checkout = Path(spec.target.checkout).expanduser().resolve()
    if not (checkout / PACKAGE / "__init__.py").is_file():
        raise BadInput(
            f"target.checkout {checkout} has no {PACKAGE}/__init__.py: give the root of a checkout of upstream Kronos"
        )
    code = load_package(checkout)
    revision = code_revision(checkout, checkout / PACKAGE)
    return lambda: build(code, spec, revision)


def load_package(checkout: Path) -> ModuleType:
    """``model`` from ``checkout``; refuses if another ``model`` was imported, or something was taken from elsewhere."""
    if PACKAGE in sys.modules:
        raise BadInput(f"another module named {PACKAGE} is loaded already: {sys.modules[PACKAGE]!r}")
    folder = checkout / PACKAGE
    kind = importlib.util.spec_from_file_location(
        PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if kind is None or kind.loader is None:
        raise BadInput(f"{folder} cannot be imported as a package")
    code = importlib.util.module_from_spec(kind)
    sys.modules[PACKAGE] = code
    path_before = list(sys.path)
    try:
        kind.loader.exec_module(code)
    except ImportError as error:
        raise BadInput(
            f"target.checkout {checkout}: its code needs something this interpreter lacks: {error}"
        ) from error
    finally:
        sys.path[:] = path_before
    _check_origin(folder)
    missing = [name for name in CLASSES if not hasattr(code, name)]
    if missing:
        raise BadInput(f"{folder} has no {', '.join(missing)}: is it a checkout of upstream Kronos?")
    return code


def _check_origin(folder: Path) -> None:
    for name, module in list(sys.modules.items()):
        if name == PACKAGE or name.startswith(f"{PACKAGE}."):
            file = getattr(module, "__file__", None)
            if file is None or folder not in Path(file).resolve().parents:
                raise BadInput(f"the module {name} was taken from {file}, not from {folder}")
