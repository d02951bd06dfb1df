"""Other targets, each in a real worker: an upstream checkout, weights, production's wrapper, and any factory."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.probe.worker.runs import PLANTED, Run, run_all, spec, toy, variant


def commit(checkout: Path) -> str:
    """Make ``checkout`` a git repository with one commit; returns its short name."""
    git = ["git", "-C", str(checkout), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "as it was"]):
        subprocess.run([*git, *command], check=True)
    told = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
    return told.stdout.strip()


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout shaped like upstream's: the package ``model``, importing itself by name."""
    import sktime.libs.kronos as packaged

    source = Path(str(packaged.__file__)).parent
    package = tmp_path_factory.mktemp("upstream") / "model"
    package.mkdir()
    shutil.copy(source / "module.py", package)
    code = (source / "kronos.py").read_text().replace("sktime.libs.kronos.module", "model.module")
    (package / "kronos.py").write_text('import sys\nsys.path.append("../")\n' + code)
    (package / "__init__.py").write_text("from .kronos import Kronos, KronosPredictor, KronosTokenizer\n")
    return package.parent


@pytest.fixture(scope="module")
def revision(upstream: Path) -> str:
    return commit(upstream)


@pytest.fixture(scope="module")
def production(upstream: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of a trading program with its wrapper, and Kronos where it keeps it."""
    checkout = tmp_path_factory.mktemp("production")
    (checkout / "src" / "models").mkdir(parents=True)
    shutil.copy(PLANTED / "kronos_wrapper.txt", checkout / "src" / "models" / "kronos_wrapper.py")
    shutil.copytree(upstream / "model", checkout / "external" / "kronos" / "model")
    return checkout


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model's weights with their config, as the hub has them."""
    import torch
    from safetensors.torch import save_file
    from sktime.libs.kronos import Kronos

    from kronos_health.probe.worker.targets.kronos import SIZES

    torch.manual_seed(7)
    config = SIZES["tiny"].model_config()
    folder = tmp_path_factory.mktemp("weights")
    save_file(Kronos(**config).state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def misfit(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("misfit")
    shutil.copytree(weights, folder, dirs_exist_ok=True)
    config = json.loads((weights / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "n_layers": 3, "ff_dim": 96}))
    return folder


@pytest.fixture(scope="module")
def files_of_production(production: Path) -> list[Path]:
    return sorted(production.rglob("*"))


@pytest.fixture(scope="module")
def runs(
    upstream: Path,
    revision: str,
    production: Path,
    files_of_production: list[Path],
    weights: Path,
    misfit: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Run]:
    wrapper = {"loader": "production_wrapper", "checkout": str(production)}
    rehearsed: dict[str, Any] = {"kind": "rehearsed", "predictions": 3}
    orders = {
        "checkout": spec(target={"loader": "kronos_checkout", "checkout": str(upstream)}, accuracy_windows=16),
        "no checkout": spec(target={"loader": "kronos_checkout", "checkout": str(production)}),
        "weights": spec(target={"size": "auto", "weights": str(weights)}),
        "misfit": spec(target={"weights": str(misfit)}),
        "wrapper": spec(target=wrapper, accuracy_windows=16),
        "wrapper compiled": spec(**rehearsed, target=wrapper, variant=variant("compiled")),
        "wrapper mended": spec(**rehearsed, target=wrapper, variant=variant("compiled_static_rope_clone")),
        "wrapper short of memory": spec(target={**wrapper, "options": {"fails_above": "1"}}),
        "plain factory": spec(target={**toy(), "loader": "toys:make_plain"}),
        "factory compiled": spec(**rehearsed, target=toy(), variant=variant("compiled")),
        "own recipe": spec(**rehearsed, target=toy(), variant=variant("toys:own_recipe", mode="max-autotune")),
    }
    return run_all(orders, tmp_path_factory.mktemp("runs"))


def passed(told: Run) -> Run:
    assert told.finished, told.stderr
    assert told.failure is None, told.failure
    assert len(told.values) == 3
    return told


def refused(told: Run) -> str:
    assert told.finished, told.stderr
    assert told.failure is not None
    assert told.failure["kind"] == "bad_input", told.failure
    assert "\n" not in told.failure["message"]
    return str(told.failure["message"])


def near_float64(told: Run) -> bool:
    heads = told.one("accuracy")["heads"]
    assert [head["name"] for head in heads] == ["s1", "s2"], told.one("accuracy")["note"]
    return all(head["finite"] and 0 < head["rmse"] < 1e-5 for head in heads)


class DescribeAnUpstreamCheckout:
    def it_runs_its_own_code_and_names_its_revision(self, runs: dict[str, Run], revision: str) -> None:
        told = passed(runs["checkout"])
        assert told.one("environment")["target_revision"].startswith(f"{revision}+")
        assert near_float64(told)

    def it_is_refused_without_the_package(self, runs: dict[str, Run], production: Path) -> None:
        assert f"{production} has no model/__init__.py" in refused(runs["no checkout"])


class DescribeWeights:
    def it_loads_them_and_says_which(self, runs: dict[str, Run]) -> None:
        environment = passed(runs["weights"]).one("environment")
        assert environment["model_shape"] == "tiny"  # by its config.json, whatever the size setting
        model, _, tokenizer = environment["weights_revision"].partition(", ")
        assert len(model.removeprefix("model ")) == 12
        assert tokenizer == "tokenizer random:20251030"

    def it_refuses_those_of_another_shape(self, runs: dict[str, Run]) -> None:
        message = refused(runs["misfit"])
        assert "the weights do not fit Kronos: transformer.2.norm1.weight is missing; " in message
        assert "more" in message


class DescribeProductionsWrapper:
    def it_is_driven_as_production_does_and_its_checkout_left_alone(
        self, runs: dict[str, Run], production: Path, files_of_production: list[Path]
    ) -> None:
        told = passed(runs["wrapper"])
        assert told.one("environment")["model_shape"] == "production"
        assert told.one("environment")["weights_revision"].startswith("model NeoQuasar/Kronos-base")
        assert sorted(production.rglob("*")) == files_of_production
        assert near_float64(told)

    def it_compiles_by_its_own_switch_and_fails_in_its_own_copy_of_kronos(
        self, runs: dict[str, Run], production: Path
    ) -> None:
        told = runs["wrapper compiled"]
        assert told.failure is not None
        assert told.failure["kind"] == "graph_reuse"
        assert told.failure["frame"]["code"] == "return output * self.weight"
        assert told.failure["frame"]["file"] == str(production / "external" / "kronos" / "model" / "module.py")
        assert "the wrapper compiles with max-autotune" in told.stderr

    def it_takes_mitigations_on_the_model_inside(self, runs: dict[str, Run]) -> None:
        told = passed(runs["wrapper mended"])
        assert told.one("counters")["cudagraph_replays"] > 0
        assert "the wrapper compiles" not in told.stderr

    def it_is_not_taken_for_a_success_with_fewer_samples(self, runs: dict[str, Run]) -> None:
        told = runs["wrapper short of memory"]
        assert told.failure is not None
        assert told.failure["kind"] == "out_of_memory"
        assert "fell back from 2 to 1 samples" in told.failure["message"]


class DescribeAFactory:
    def it_needs_only_predict(self, runs: dict[str, Run]) -> None:
        environment = passed(runs["plain factory"]).one("environment")
        assert (environment["model_shape"], environment["target_revision"]) == ("toy-4", "r1")

    def it_has_what_it_exposes_compiled(self, runs: dict[str, Run]) -> None:
        counters = passed(runs["factory compiled"]).one("counters")
        assert (counters["graphs"], counters["cudagraph_recordings"]) == (1, 1)

    def it_can_be_run_by_a_recipe_of_the_users_own(self, runs: dict[str, Run]) -> None:
        told = passed(runs["own recipe"])
        assert told.one("counters")["cudagraph_replays"] > 0
        assert told.one("check")["ok"] is True

    def it_has_the_same_random_weights_in_every_process(self, runs: dict[str, Run]) -> None:
        assert runs["plain factory"].values == runs["factory compiled"].values == runs["own recipe"].values
