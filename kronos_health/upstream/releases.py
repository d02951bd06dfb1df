"""Releases of torch, asked of pip itself, so that a company's mirror, proxy and certificates are honoured.

``pip index versions PACKAGE`` downloads one index page and installs nothing. Its ``--json`` exists in newer pips; older
ones (from 21.2) print the same list as text. Looked at in pip 23.2.1, 26.0.1 and 26.3.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from kronos_health.domain.upstream import Release, Unknown
from kronos_health.upstream.commands import Answer, NoAnswer, ask, clean_environment, one_line

_LISTED = re.compile(r"^Available versions: (?P<versions>.+)$", re.MULTILINE)
_ERROR = re.compile(r"^(?:.*: )?(?P<text>(?:No module named pip|No matching|unknown command|no such).*)$", re.MULTILINE)
# An index that fails is skipped in silence; only pip's own log file says so, and what is left looks like "no news".
_SKIPPED = re.compile(r"Could not fetch URL (?P<url>\S+): (?P<why>.+?) - skipping")
_CAUSE = re.compile(r"\(Caused by .*?(?:>: |\()(?P<cause>[^<>]+?)[')]+$")  # how urllib3 ends its story
_NOT_CARRIED = re.compile(r"\b404\b")  # this index just does not have the package


@dataclass(frozen=True, slots=True)
class ReleaseLook:
    """What pip told: the releases it found, newest first, and why the list may be incomplete (``None``: it is not)."""

    releases: tuple[Release, ...]
    unknown: Unknown | None


def look_up_releases(package: str, interpreter: Path | None, timeout_seconds: float) -> ReleaseLook:
    """Final releases of ``package`` that ``interpreter``'s pip could install; ``None`` asks this interpreter's.

    Never raises for a missing network, pip or interpreter: those are the look's ``unknown``.
    """
    python = str(interpreter or sys.executable)
    with tempfile.TemporaryDirectory(prefix="kronos-health-pip-") as folder:
        log = Path(folder) / "pip.log"
        try:
            answer = _ask_pip(python, package, log, timeout_seconds)
        except NoAnswer as error:
            return ReleaseLook((), Unknown(package, f"pip of {python}: {error}"))
        skipped = skipped_indexes(log.read_text("utf-8", "replace")) if log.exists() else ()
    if not answer.ok:
        return ReleaseLook((), Unknown(package, _why(python, answer, skipped)))
    releases = final_releases(package, listed_versions(answer.out))
    if skipped:
        return ReleaseLook(releases, Unknown(package, f"not every package index answered: {'; '.join(skipped)}"))
    if not releases:
        return ReleaseLook((), Unknown(package, f"pip of {python} listed no release of {package}"))
    return ReleaseLook(releases, None)


def _ask_pip(python: str, package: str, log: Path, timeout_seconds: float) -> Answer:
    environment = clean_environment("PIP_", PYTHONSAFEPATH="1", PIP_DISABLE_PIP_VERSION_CHECK="1")
    pip = [python, "-m", "pip", "--no-input", "--no-cache-dir", "--retries", "1", "--log", str(log)]
    question = [*pip, "index", "versions", package]
    answer = ask([*question, "--json"], timeout_seconds, environment)
    if not answer.ok and "no such option: --json" in answer.err + answer.out:
        return ask(question, timeout_seconds, environment)
    return answer


def listed_versions(output: str) -> tuple[str, ...]:
    """The versions in what pip printed, as JSON (``{"name": …, "versions": […]}``) or as text; empty if neither."""
    for line in output.splitlines():
        if line.startswith("{"):
            try:
                return tuple(str(version) for version in json.loads(line)["versions"])
            except (ValueError, KeyError, TypeError):
                continue
    found = _LISTED.search(output)
    return tuple(version.strip() for version in found["versions"].split(",")) if found else ()


def final_releases(package: str, versions: tuple[str, ...]) -> tuple[Release, ...]:
    """Releases, newest first: no pre-releases, and one for all builds (``2.13.0+cpu`` is the release ``2.13.0``)."""
    parsed = set()
    for text in versions:
        try:
            version = Version(text)
        except InvalidVersion:
            continue
        if not version.is_prerelease:
            parsed.add(Version(version.public))
    return tuple(Release(package, str(version)) for version in sorted(parsed, reverse=True))


def skipped_indexes(log: str) -> tuple[str, ...]:
    """Indexes that pip could not read, with its reason, from its log; those that just lack the package do not count."""
    skipped = {}
    for match in _SKIPPED.finditer(log):
        if not _NOT_CARRIED.search(match["why"]):
            cause = _CAUSE.search(match["why"])
            skipped[one_line(match["url"])] = one_line(cause["cause"] if cause else match["why"], limit=160)
    return tuple(f"{url}: {why}" for url, why in skipped.items())


def _why(python: str, answer: Answer, skipped: tuple[str, ...]) -> str:
    if skipped:
        return "; ".join(skipped)
    found = _ERROR.search(answer.err) or _ERROR.search(answer.out)
    if found and found["text"].startswith("No module named pip"):
        return f"{python} has no pip: set upstream.torch_interpreter to a python that has one"
    if found and found["text"].startswith("unknown command"):
        return f"the pip of {python} is too old to list versions: upgrade it to 21.2 or newer"
    text = found["text"] if found else (answer.err.strip() or answer.out.strip()).rpartition("\n")[2]
    return f"pip of {python}: {one_line(text) or f'exit status {answer.status}'}"
