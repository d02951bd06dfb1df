"""A checkout shaped like upstream Kronos, made at run time from sktime's installed copy, and a commit that mends it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

_TABLES_AHEAD = """\
        angles = torch.einsum("i,j->ij", torch.arange(4096).type_as(inv_freq), inv_freq)
        both = torch.cat((angles, angles), dim=-1)[None, None]
        self.register_buffer("cos_table", both.cos(), persistent=False)
        self.register_buffer("sin_table", both.sin(), persistent=False)
"""


def git(folder: Path, *arguments: str) -> str:
    """Run git as a test's own person; returns what it said."""
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def make_remote(folder: Path) -> str:
    """Make ``folder`` a repository with the package ``model`` in one commit; returns the commit."""
    import sktime.libs.kronos as packaged

    source, package = Path(str(packaged.__file__)).parent, folder / "model"
    package.mkdir(parents=True)
    shutil.copy(source / "module.py", package)
    code = (source / "kronos.py").read_text().replace("sktime.libs.kronos.module", "model.module")
    (package / "kronos.py").write_text('import sys\nsys.path.append("../")\n' + code)
    (package / "__init__.py").write_text("from .kronos import Kronos, KronosPredictor, KronosTokenizer\n")
    git(folder, "init", "-q", "-b", "main")
    return _commit(folder, "as it was")


def mend(folder: Path) -> str:
    """Commit what mends both causes: rotary tables made ahead, and one step mark before each ``decode_s1``."""
    _replace(
        folder / "model" / "module.py", r"        self\.seq_len_cached = None\n(?: +self\.\w+ = None\n)+", _TABLES_AHEAD
    )
    _replace(
        folder / "model" / "module.py",
        r"        if seq_len != self\.seq_len_cached:\n.*?\n        return [^\n]+\n",
        "        return self.cos_table[:, :, :seq_len], self.sin_table[:, :, :seq_len]\n",
    )
    _replace(
        folder / "model" / "kronos.py",
        r"\n( +)(s1_logits, context = model\.decode_s1\()",
        r"\n\1torch.compiler.cudagraph_mark_step_begin()\n\1\2",
    )
    return _commit(folder, "Make rotary tables ahead and mark each decode step")


def _replace(path: Path, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, path.read_text(), flags=re.DOTALL)
    assert count == 1, f"{path.name} has {count} places like {pattern!r}: sktime's copy changed, look at it"
    path.write_text(text)


def _commit(folder: Path, message: str) -> str:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", message)
    return git(folder, "rev-parse", "HEAD")
