"""Start of the worker when its folder is run by path: ``python -P .../worker --spec SPEC.json --events-fd N``.

Python puts the folder of a program run by path on ``sys.path``, where modules with plain names such as ``memory`` would
shadow the target's own. So the folder is taken off again and loaded as a package under a name nobody else uses.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

PACKAGE = "kronos_health_worker"


def load_package(folder: Path) -> None:
    """Register ``folder`` as the package :data:`PACKAGE` and take it off ``sys.path``."""
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != folder]
    spec = importlib.util.spec_from_file_location(
        PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} is not the worker's folder")
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    load_package(Path(__file__).resolve().parent)
    sys.exit(importlib.import_module(PACKAGE + ".entry").main(sys.argv[1:]))
