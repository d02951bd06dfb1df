"""Any model at all: ``module:factory`` names a callable that returns an object with ``predict(window, seed)``."""

# ruff: noqa: TID252 - the folder travels without its package: every import inside is relative

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from ..errors import BadInput
from ..spec import WorkerSpec
from . import Builder


def import_factory(spec: WorkerSpec) -> Builder:
    """Import the factory; raises :class:`BadInput` when it is not there. What it raises itself is its own error."""
    make = import_named(spec.target.loader, "target.loader")

    def build() -> Any:
        target = make(spec.run_device, **spec.target.options)
        if not callable(getattr(target, "predict", None)):
            raise BadInput(
                f"{spec.target.loader} returned a {type(target).__name__}, which has no predict(window, seed)"
            )
        return target

    return build


def import_named(reference: str, key: str) -> Callable[..., Any]:
    """The callable that ``module:name`` speaks of; raises :class:`BadInput` naming ``key`` when there is none."""
    module_name, colon, name = reference.partition(":")
    if not (module_name and colon and name):
        raise BadInput(f'{key} is {reference!r}: name something built in, or "module:name"')
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise BadInput(
            f"{key} {reference}: {error}; is its folder in target.python_path and all it needs installed?"
        ) from error
    found = getattr(module, name, None)
    if not callable(found):
        raise BadInput(f"{key} {reference}: the module {module.__file__} has no callable {name}")
    return found  # type: ignore[no-any-return]
