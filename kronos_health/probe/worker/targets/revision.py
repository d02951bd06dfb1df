"""Which code and which weights a target runs: short names for the fingerprint."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable
from pathlib import Path

DIGEST_CHARS = 12
CHUNK = 1024 * 1024


def digest(files: Iterable[Path]) -> str:
    """A short SHA-256 over the contents of ``files``, in the order of their names."""
    total = hashlib.sha256()
    for path in sorted(files):
        total.update(path.name.encode())
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                total.update(chunk)
    return total.hexdigest()[:DIGEST_CHARS]


def code_revision(checkout: Path, sources: Path) -> str:
    """``<git commit>+<digest of the Python files>``: the digest also sees edits that nobody committed."""
    files = digest(sources.rglob("*.py"))
    commit = _head(checkout)
    return f"{commit}+{files}" if commit else f"files+{files}"


def _head(checkout: Path) -> str | None:
    command = ["git", "-c", f"safe.directory={checkout}", "-C", str(checkout), "rev-parse", "--short=12", "HEAD"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return run.stdout.strip() if run.returncode == 0 else None
