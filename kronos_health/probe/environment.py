"""What a child may see of the parent's environment: an allow-list, so that no secret of a worker ever gets there.

A task's environment holds connections, broker and JWT secrets. Nothing passes here but what finding libraries, GPUs,
compilers and weights takes; everything that programs write by themselves is pointed at a folder of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PASSED = frozenset(
    {
        *("PATH", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH"),
        *("CUDA_VISIBLE_DEVICES", "CUDA_HOME", "CUDA_PATH", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"),
        *("CC", "CXX", "PYTORCH_CUDA_ALLOC_CONF", "TORCHINDUCTOR_VEC_ISA_OK", "TORCHINDUCTOR_COMPILE_THREADS"),
        *("HF_HOME", "HF_HUB_OFFLINE", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
        *("PYENV_ROOT", "PYENV_VERSION", "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONUSERBASE"),
    }
)
# Addresses, which may carry a password: passed only where they do not.
PASSED_WITHOUT_PASSWORD = frozenset(
    {"HF_ENDPOINT", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}
)
_HAS_CREDENTIALS = re.compile(r"//[^/@]*@|^[^/@]*:[^/@]*@")


@dataclass(frozen=True, slots=True)
class Folders:
    """Where a child writes: ``work`` belongs to one probe and goes with it, ``state`` stays."""

    state: Path
    work: Path

    @property
    def home(self) -> Path:
        """The child's HOME."""
        return self.work / "home"

    @property
    def scratch(self) -> Path:
        """The child's working and temporary folder."""
        return self.work / "tmp"

    @property
    def compile_cache(self) -> Path:
        """torch's compile caches: new with each probe, so that its first iteration is cold and the others warm."""
        return self.work / "cache"

    def make(self) -> None:
        """Create what is missing. Raises ``OSError``."""
        for folder in (self.home, self.scratch, self.compile_cache, self.state / "cache" / "huggingface"):
            folder.mkdir(parents=True, exist_ok=True)


def child_environment(parent: Mapping[str, str], folders: Folders) -> dict[str, str]:
    """The whole environment of a child, made from the parent's by allow-list."""
    passed = {name: value for name, value in parent.items() if name in PASSED}
    for name in PASSED_WITHOUT_PASSWORD & parent.keys():
        if not _HAS_CREDENTIALS.search(parent[name]):
            passed[name] = parent[name]
    passed.setdefault("PATH", "/usr/local/bin:/usr/bin:/bin")
    passed.setdefault("LANG", "C.UTF-8")
    passed.setdefault("HF_HOME", str(folders.state / "cache" / "huggingface"))
    if "HOME" in parent:  # packages that were installed with pip --user stay importable
        passed.setdefault("PYTHONUSERBASE", str(Path(parent["HOME"]) / ".local"))
    return passed | {
        "HOME": str(folders.home),
        "TMPDIR": str(folders.scratch),
        "LOGNAME": "kronos-health",  # torch asks for a user name; containers often have none
        "TORCHINDUCTOR_CACHE_DIR": str(folders.compile_cache / "inductor"),
        "TRITON_CACHE_DIR": str(folders.compile_cache / "triton"),
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # NVML counts so too
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONSAFEPATH": "1",  # a file named like a module in the working folder is not imported
        "PYTHONDONTWRITEBYTECODE": "1",  # a checkout of production stays untouched
        "PYTHONFAULTHANDLER": "1",  # a SIGSEGV leaves a stack in the tail of stderr
        "PYTHONIOENCODING": "utf-8",
        "TOKENIZERS_PARALLELISM": "false",
    }
