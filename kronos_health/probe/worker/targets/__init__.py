"""The models a worker can load: built-in ones by name, others by ``module:factory``."""

# ruff: noqa: TID252 - the folder travels without its package: every import inside is relative

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from ..spec import WorkerSpec

Builder = Callable[[], Any]


def import_target(spec: WorkerSpec) -> Builder:
    """Import the target's code; returns what builds it. Raises :class:`~..errors.BadInput` when that cannot be."""
    sys.path[:0] = spec.target.python_path  # also where a user's recipe is found
    loader = spec.target.loader
    if loader == "kronos":
        from . import kronos

        return kronos.import_packaged(spec)
    if loader == "kronos_checkout":
        from . import checkout

        return checkout.import_checkout(spec)
    if loader == "production_wrapper":
        from . import wrapper

        return wrapper.import_wrapper(spec)
    if loader == "toto":
        from . import toto

        return toto.import_toto(spec)
    from . import factory

    return factory.import_factory(spec)
