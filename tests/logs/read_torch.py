"""Read the wordings of torch_wordings.toml again in torch's released wheels, and write docs/torch-wordings.md.

    for v in 1.13.1 2.0.1 …; do
      pip download torch==$v --no-deps --only-binary=:all: --platform macosx_11_0_arm64 --python-version 310 -d w/$v
      unzip -q w/$v/*.whl 'torch/*' -d FOLDER/$v
    done
    python -m tests.logs.read_torch FOLDER        # compares; also no source file may be taken for an error
    python -m tests.logs.read_torch --page        # prints the page docs/torch-wordings.md is to be

Wheels for macOS are a tenth of the size of those for Linux and hold the same Python sources and headers; what stands in
no header is looked for in the CUDA libraries of the Linux wheels. A release that is not in FOLDER is not judged.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from kronos_health.logs.report import scan_file
from tests.logs.wordings import ABSENT, LINUX, RELEASES, WORDINGS, Wording, between


def template(node: ast.AST) -> str | None:
    """The text of a string, an f-string (values as ``{…}``), or a sum of them; ``None`` for anything else."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(_piece(value) for value in values)
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            one, other = template(left), template(right)
            return one + other if one is not None and other is not None else None
    return None


def _piece(value: ast.expr) -> str:
    match value:
        case ast.Constant(value=text):
            return str(text)
        case ast.FormattedValue(value=inner):
            return "{" + ast.unparse(inner) + "}"
    return ""


@cache
def texts(path: Path) -> tuple[str, ...]:
    """Everything in which a template may stand: the file as it is, and every string of a Python source."""
    raw = path.read_bytes().decode("utf-8", errors="replace")
    if path.suffix != ".py":
        return (raw,)
    return (raw, *(text for node in ast.walk(ast.parse(raw)) if (text := template(node))))


def stands_in(wording: Wording, path: Path) -> bool:
    """Whether the file holds the template."""
    if not path.exists():
        return False
    if wording.exact:
        return wording.source in texts(path)
    return any(wording.source in text for text in texts(path))


def differences(folder: Path) -> Iterator[str]:
    """One line for each wording and release of the folder that is not as the table says."""
    there = [item for item in RELEASES if (folder / item).is_dir()]
    yield from (f"{item}: not in {folder}, not judged" for item in RELEASES if item not in there)
    for wording, spans in _together():
        for release in there:
            if wording.file.startswith("torch/lib/") and release not in LINUX:
                continue
            if stands_in(wording, folder / release / wording.file) != (release in spans):
                yield f"{release}: {wording.file}: {'lacks' if release in spans else 'has'} {wording.source!r}"


def _together() -> Iterator[tuple[Wording, set[str]]]:
    """Each template of a file once, and in which releases it stands."""
    spans: dict[tuple[str, str], tuple[Wording, set[str]]] = {}
    for wording in WORDINGS:
        spans.setdefault((wording.file, wording.source), (wording, set()))[1].update(wording.span)
    yield from spans.values()


def false_alarms(folder: Path) -> Iterator[str]:
    """One line for each source file that the catalogue takes for an error when it is printed into a log."""
    for name in sorted({item.file for item in WORDINGS if item.file.endswith(".py")}):
        for path in sorted(folder.glob(f"*/{name}")):
            yield from (f"{path}: taken for {item.signature}" for item in scan_file(path).findings)


def page() -> str:
    """docs/torch-wordings.md."""
    lines = [(Path(__file__).parent / "torch_wordings_head.md").read_text()]
    for signature in dict.fromkeys(item.signature for item in WORDINGS):
        lines += [f"\n## {signature}\n\n", "| first read | last read | file | template |\n|---|---|---|---|\n"]
        for item in (item for item in WORDINGS if item.signature == signature):
            source = item.source.replace("\n", "⏎").replace("|", "\\|").strip()
            lines.append(f"| {item.first} | {item.last} | `{item.file.removeprefix('torch/')}` | `` {source} `` |\n")
        lines += [
            f"\nNone from {item.first} to {item.last}: {item.why}.\n" for item in ABSENT if item.signature == signature
        ]
    return "".join(lines)


def main() -> int:
    """Compare, or print the page; status 1 where something is worded otherwise or raises an alarm as source."""
    if sys.argv[1:] == ["--page"]:
        sys.stdout.write(page())
        return 0
    found = [*differences(Path(sys.argv[1])), *false_alarms(Path(sys.argv[1]))]
    print(*found, f"{len(WORDINGS)} wordings, {len(between(RELEASES[0], RELEASES[-1]))} releases", sep="\n")
    return int(any("not judged" not in item for item in found))


if __name__ == "__main__":
    raise SystemExit(main())
