"""Which variants run compiled, on this GPU? The table for docs/measurements/, by the project's own use cases.

Every named variant of Kronos-base, measured on CUDA and rehearsed on the CPU beside it, in a state folder of its own:
the history that ``kronos-health`` keeps is not touched. The page is written to docs/measurements/; the state folder
keeps every iteration, for ``kronos-health query``.

Where torch sees no CUDA device, or with ``--dry-run``, the same runs on the CPU with a tiny model and one iteration
each: it prints the page, writes none, and shows that this runner is ready. Exit status 1 when a probe could not be run
at all; what a variant came to is a result, not an error.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.support import machine, variant_table
from benchmarks.support.variant_table import Arm
from kronos_health.checks.context import Context, Origin, open_context, utc_now
from kronos_health.checks.probing import CampaignSummary, ProbeRequest, ProbeSummary, probe
from kronos_health.domain.probes import Environment, ProbeKind
from kronos_health.probe.claim import target_device
from kronos_health.probe.ladder import first_failing_layer
from kronos_health.probe.variants import BUILT_IN
from kronos_health.settings.models import Settings
from kronos_health.store.database import open_engine, reading
from kronos_health.store.history import run_query
from kronos_health.store.migrations import upgrade

ROOT = Path(__file__).resolve().parents[1]
MEASUREMENTS = ROOT / "docs/measurements"
SERIES = ROOT / "examples/production/ETHUSD.csv"
TARGET = "kronos"


def settings_for(state: Path, asked: argparse.Namespace, dry: bool) -> Settings:
    """Settings of one run: nothing of the user's own but what was asked for."""
    weights = {"weights": asked.weights, "tokenizer": asked.tokenizer}
    size = asked.size or ("tiny" if dry else "base")
    return Settings.model_validate(
        {
            "state_dir": state,
            "probe": {
                "device": "cpu" if dry else "cuda",
                "iterations": 1 if dry else asked.iterations,
                "rehearsal_iterations": 1,
                "predictions": 4,
                "rehearse": "always",
                "evaluation": {"csv": SERIES},
            },
            "targets": {TARGET: {"size": size, **weights}},
        }
    )


def prepare(settings: Settings) -> Context:
    """A migrated database of its own."""
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    engine = open_engine(settings.database_url, settings.database.busy_timeout_seconds)
    upgrade(engine)
    engine.dispose()
    return open_context(settings, Origin("benchmark"))


def measure(context: Context, variants: Sequence[str]) -> CampaignSummary:
    """Run the campaign, with a line per probe as it ends."""

    def tell(done: ProbeSummary) -> None:
        kind = " (rehearsed)" if done.spec.kind is ProbeKind.REHEARSED else ""
        print(
            f"{context.now():%H:%M:%S}  {done.spec.variant}{kind}: {done.outcome.value} {done.passed}/{done.requested}"
        )
        sys.stdout.flush()

    return probe(context, ProbeRequest((TARGET,), tuple(variants), rehearse=True), on_done=tell)


def arms_of(context: Context, summary: CampaignSummary) -> list[Arm]:
    """The campaign with the counters of its iterations, from the history."""
    with reading(context.engine) as connection:
        iterations = {
            record.probe_id: run_query(connection, "iterations_of_probe", {"probe_id": record.probe_id}).dicts()
            for record in summary.probes
        }
    return variant_table.arms(summary.probes, summary.comparisons, iterations)


def environment_of(rows: Sequence[Arm]) -> Environment | None:
    """Where it ran: the first that got far enough to say so."""
    return next((arm.measured.environment for arm in rows if arm.measured.environment), None)


def layers_of(rows: Sequence[Arm], summary: CampaignSummary) -> str:
    """The first layer of the compiler that fails, where it was measured on CUDA."""
    seen = environment_of(rows)
    if seen is None or not seen.device.startswith("cuda"):
        return "Layers of the compiler are judged on CUDA only."
    return first_failing_layer([arm.measured for arm in rows], summary.comparisons).sentence


def sees_cuda() -> bool:
    """Whether the interpreter of a probe would find a CUDA device."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings()
        return target_device(TARGET, settings.targets[TARGET], settings.probe, Path(folder)) == "cuda"


def variants_asked(names: Sequence[str]) -> list[str]:
    """The named ones, or every built-in one, the layers of the compiler included; eager always, to compare with."""
    return list(dict.fromkeys(["eager", *(names or [variant.name for variant in BUILT_IN])]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write the page where it was a GPU."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry-run", action="store_true", help="on the CPU, tiny, one iteration, nothing written")
    parser.add_argument("--variant", action="append", default=[], help="only these; may be repeated")
    parser.add_argument("--iterations", type=int, default=5, help="fresh processes per variant")
    parser.add_argument("--size", choices=("tiny", "mini", "small", "base"), help="default: base, tiny in a dry run")
    parser.add_argument("--weights", default="", help="local folder or hub id; default: seeded random weights")
    parser.add_argument("--tokenizer", default="", help="local folder or hub id of the tokenizer")
    parser.add_argument("--state", type=Path, help="state folder; default: a temporary one, removed at the end")
    parser.add_argument("--output", type=Path, default=MEASUREMENTS, help="folder of the page")
    asked = parser.parse_args(arguments)
    dry = asked.dry_run or not sees_cuda()
    if dry and not asked.dry_run:
        print("There is no CUDA device here: a dry run on the CPU. It says nothing about CUDA and writes no page.\n")
    with tempfile.TemporaryDirectory(prefix="gpu-variants-") as folder:
        context = prepare(settings_for(asked.state or Path(folder), asked, dry))
        try:
            return report(context, variants_asked(asked.variant), None if dry else asked.output)
        finally:
            context.engine.dispose()


def report(context: Context, variants: Sequence[str], output: Path | None) -> int:
    """Measure ``variants``; print the page, and write it into ``output`` if there is one."""
    begun = utc_now()
    summary = measure(context, variants)
    rows = arms_of(context, summary)
    seen = environment_of(rows)
    facts = [*variant_table.hardware(seen), ("processor", machine.processor()), ("machine", machine.load())]
    text = variant_table.page(rows, facts, layers_of(rows, summary), begun)
    print(f"\n{text}")
    if output is not None and seen is not None:
        output.mkdir(parents=True, exist_ok=True)
        path = output / variant_table.file_name(seen, begun)
        path.write_text(text, encoding="utf-8")
        print(f"Written to {path}")
    could_not = [
        arm.measured for arm in rows if arm.measured.outcome is None or not arm.measured.outcome.about_the_model
    ]
    return 1 if could_not else 0


if __name__ == "__main__":
    sys.exit(main())
