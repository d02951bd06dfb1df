"""Run the benchmarks: ``python -m benchmarks [--gpu] [NAME …] [-- OPTION …]``.

Each benchmark is a script of its own beside this file, runnable by itself; those named ``gpu_…`` need CUDA, and make a
dry run without. What stands behind ``--`` is handed to the benchmark that is named.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def scripts(gpu: bool) -> dict[str, Path]:
    """Name → script, of those that need a GPU or of the others."""
    found = {path.stem: path for path in sorted(FOLDER.glob("*.py")) if not path.stem.startswith("_")}
    return {name: path for name, path in found.items() if name.startswith("gpu_") == gpu}


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The words before and behind ``--``."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], arguments[at + 1 :]


def main() -> int:
    """Run what was asked for, one after the other; 1 when any of them failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run the benchmarks.")
    parser.add_argument("--gpu", action="store_true", help="those that need CUDA")
    parser.add_argument("names", nargs="*", help="only these")
    words, options = _split(sys.argv[1:])
    asked = parser.parse_args(words)
    known = scripts(asked.gpu)
    if options and len(asked.names or known) != 1:
        parser.error("options behind -- are for one benchmark: name it")
    unknown = sorted(set(asked.names) - set(known))
    if unknown:
        parser.error(f"no benchmark named {', '.join(unknown)}; there are: {', '.join(known) or 'none'}")
    failed = []
    for name in asked.names or known:
        print(f"\n== {name} ==", flush=True)
        if subprocess.run([sys.executable, known[name], *options], check=False).returncode != 0:
            failed.append(name)
    if not known:
        print("There is no benchmark of this kind yet.")
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
