"""Toto's real code, compiled on the CPU: real pip makes its environment, the command probes it there."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_candidates import probes, say

SETTINGS = """
[probe]
device = "cpu"
iterations = 1
predictions = 3
rehearse = "never"
[probe.evaluation]
sample_count = 4
[targets.kronos]
[targets.toto]
loader = "toto"
python_path = ["."]
[targets.uncached]
loader = "toto"
options = { use_kv_cache = "false" }
"""
README_RECIPE = "as_the_readme:compile_toto"
README_CODE = '''"""What Toto's README says: ``toto.compile()``."""


def compile_toto(target):
    target.toto.compile()
'''
SAVE_WEIGHTS = """
import json, sys, types
from pathlib import Path
from safetensors.torch import save_model
from toto.model.toto import Toto
sys.path.insert(0, sys.argv[1])
from worker.targets.toto import SIZES
folder = Path(sys.argv[2]); folder.mkdir()
config = {**SIZES["tiny"].config(), "use_memory_efficient_attention": False}
save_model(Toto(**config), str(folder / "model.safetensors"))
(folder / "config.json").write_text(json.dumps({**config, "transformers_version": "4.49.0"}))
"""
Figures = Callable[[str, str], dict[str, Any]]


def it_lists_targets_with_what_only_they_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "kronos_health.toml").write_text(SETTINGS)
    listed = {line.split()[0]: line for line in say(tmp_path, "targets").stdout.splitlines() if line.strip()}
    assert "an environment made for it" in listed["toto"]
    assert "fewer than 10 recompilations, 2 times as fast, at most 0 skipped graphs" in listed["toto"]
    assert listed["kronos"].rstrip().endswith("none")
    assert "this program's environment" in listed["kronos"]


def it_makes_nothing_for_a_target_that_needs_nothing(tmp_path: Path) -> None:
    (tmp_path / "kronos_health.toml").write_text(SETTINGS)
    assert say(tmp_path, "db", "upgrade").returncode == 0
    said = say(tmp_path, "targets", "prepare", "kronos")
    assert (said.returncode, said.stdout) == (0, "kronos runs in this program's environment: nothing to make.\n")
    assert "Did you mean toto?" in say(tmp_path, "targets", "prepare", "tot").stderr
    assert not (tmp_path / "var" / "environments").exists()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Toto's environment made and everything below probed once."""
    folder = tmp_path_factory.mktemp("toto")
    (folder / "kronos_health.toml").write_text(SETTINGS)
    (folder / "as_the_readme.py").write_text(README_CODE)
    assert say(folder, "db", "upgrade").returncode == 0
    made = say(folder, "targets", "prepare", "toto")
    assert made.returncode == 0, made.stdout + made.stderr
    variants = ("eager", "compiled", "compiled_static_rope_clone", "compiled_whole_step", README_RECIPE)
    say(folder, "probe", "--target", "toto", *(word for name in variants for word in ("--variant", name)))
    say(folder, "probe", "--target", "uncached", "--variant", "eager", "--variant", "compiled")
    return folder


@pytest.fixture(scope="module")
def probed(home: Path) -> Figures:
    import sqlite3

    def ask(target: str, variant: str) -> dict[str, Any]:
        (row,) = [one for one in probes(home) if (one["target"], one["variant"]) == (target, variant)]
        with sqlite3.connect(home / "var" / "kronos_health.db") as database:
            database.row_factory = sqlite3.Row
            found = database.execute("SELECT * FROM iteration WHERE probe_id = ?", (row["id"],)).fetchone()
        return {**(dict(found) if found else {}), **row}

    return ask


@pytest.mark.slow
@pytest.mark.timeout(3600)  # of the first test, for which pip makes the environment and all probes run
class DescribeTotosRealCode:
    def it_runs_in_an_environment_of_its_own(self, home: Path, probed: Figures) -> None:
        eager = probed("toto", "eager")
        assert eager["outcome"] == "passed", eager["message"]
        assert eager["target_revision"].startswith("toto-ts-0.2")
        assert importlib.util.find_spec("toto") is None, "nothing of it came into this environment"
        (made,) = (home / "var" / "environments").glob("toto-*/bin/python")
        listed = subprocess.run([made, "-m", "pip", "list"], capture_output=True, text=True, check=True).stdout
        assert "toto-ts" in listed
        assert "nvidia" not in listed, "CUDA packages have no place on a host without a GPU"
        assert say(home, "targets", "prepare", "toto").stdout == "toto: ready.\n"

    def it_counts_what_compiling_costs_it(self, probed: Figures) -> None:
        """Its cache of keys and values asks tensors for numbers: Dynamo breaks there, and some frames stay eager."""
        compiled = probed("toto", "compiled")
        assert compiled["outcome"] == "degraded_to_eager", compiled["message"]
        assert "frames could not be compiled and ran eager" in compiled["message"]
        assert compiled["graphs"] > 5
        assert compiled["graph_breaks"] >= 10
        assert compiled["recompiles"] >= 1
        assert compiled["recompile_limit_hits"] == 0

    def it_finds_that_the_readmes_way_compiles_nothing(self, probed: Figures) -> None:
        """``toto.compile()`` wraps the outer module; the forecaster calls the inner one."""
        readme = probed("toto", README_RECIPE)
        assert readme["outcome"] == "degraded_to_eager"
        assert "nothing was compiled: every prediction ran eager" in readme["message"]
        assert (readme["graphs"], readme["graph_breaks"]) == (0, 0)

    def it_runs_compiled_in_one_piece_without_that_cache(self, probed: Figures) -> None:
        uncached = probed("uncached", "compiled")
        assert uncached["outcome"] == "passed", uncached["message"]
        assert (uncached["graph_breaks"], uncached["recompiles"]) == (0, 0)
        assert uncached["frames_total"] == uncached["frames_ok"]

    @pytest.mark.parametrize("variant", ["compiled_static_rope_clone", "compiled_whole_step"])
    def it_skips_variants_that_are_about_kronos_and_says_why(self, probed: Figures, variant: str) -> None:
        skipped = probed("toto", variant)
        assert skipped["outcome"] == "skipped"
        assert "TotoBackbone has no rotary embedding" in skipped["skipped_reason"]

    def it_shows_its_criteria_and_stays_eager(self, home: Path) -> None:
        said = say(home, "revisit", "--target", "toto").stdout + say(home, "status").stdout
        assert "EAGER, confidence LOW" in said
        assert "Few recompilations" in said
        assert "recompilations in its worst process, 9 allowed; not admissible: measured on CPU" in " ".join(
            said.split()
        )
        assert "skipped CUDA graphs in its worst process, 0 allowed" in " ".join(said.split())

    def it_loads_weights_from_a_folder(self, home: Path, probed: Figures) -> None:
        from kronos_health.probe.supervisor import WORKER

        (made,) = (home / "var" / "environments").glob("toto-*/bin/python")
        subprocess.run(
            [made, "-W", "ignore", "-c", SAVE_WEIGHTS, str(WORKER.parent), str(home / "weights")], check=True
        )
        with (home / "kronos_health.toml").open("a") as settings:
            settings.write('[targets.stored]\nloader = "toto"\nweights = "weights"\n')
        said = say(home, "probe", "--target", "stored", "--variant", "eager")
        stored = probed("stored", "eager")
        assert stored["outcome"] == "passed", said.stdout
