"""What cannot be used is named, with what to do about it; hardly any of it needs a worker to be seen."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from kronos_health.probe.worker import mitigations, recipes, whole_step
from kronos_health.probe.worker.errors import BadInput, Unsupported
from kronos_health.probe.worker.spec import VariantSpec, parse_spec
from kronos_health.probe.worker.targets import checkout, factory, import_target, kronos, weights
from kronos_health.probe.worker.targets.contract import parts_of
from tests.probe.worker.runs import PLANTED, run, spec, toy, variant


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nowhere:make", "target.loader nowhere:make: No module named 'nowhere'; is its folder in target.python_path"),
        ("toys:nothing", "has no callable nothing"),
        ("a name", "target.loader is 'a name': name something built in, or \"module:name\""),
    ],
)
def it_names_a_factory_that_is_not_there(reference: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PLANTED))
    with pytest.raises(BadInput) as raised:
        factory.import_named(reference, "target.loader")
    assert message in str(raised.value)


def it_refuses_a_factory_whose_product_cannot_predict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PLANTED))
    build = import_target(parse_spec(spec(target={"loader": "toys:make_useless"})))
    with pytest.raises(BadInput, match=r"toys:make_useless returned a object, which has no predict\(window, seed\)"):
        build()


@pytest.mark.parametrize(
    ("recipe", "options", "message"),
    [
        ("complied", {}, "variant.recipe is 'complied'; use one of eager, compiled, "),
        ("compiled", {"speed": "high"}, "variant.options has speed; a recipe has backend, clone, "),
    ],
)
def it_names_a_recipe_that_is_not_there(recipe: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as raised:
        recipes.built_in(VariantSpec(recipe, recipe, options))
    assert message in str(raised.value)


def it_cannot_apply_what_the_model_does_not_have() -> None:
    with pytest.raises(Unsupported, match="Linear has no rotary embedding"):
        mitigations.use_static_rotary_tables(torch.nn.Linear(1, 1), 8)
    with pytest.raises(Unsupported, match="needs a KronosPredictor, which object does not show"):
        whole_step.install(object())
    with pytest.raises(BadInput, match=r"neither compiled_parts\(\) nor a torch.nn.Module in .model"):
        parts_of(object())


def it_does_not_blame_the_variant_for_a_blank_in_the_cache_folder(tmp_path: Path) -> None:
    told = run(spec(target=toy(), variant=variant("compiled")), tmp_path / "a blank")
    assert told.failure is not None
    assert told.failure["kind"] == "bad_input"
    assert "torch cannot compile for the CPU with a blank in its cache folder" in told.failure["message"]


def it_needs_a_newer_torch_for_torchs_own_cloning() -> None:
    from torch._inductor import config

    if hasattr(config.triton, "cudagraph_trees_generation_cloning"):
        pytest.skip("this torch has it")
    with pytest.raises(Unsupported, match=r"needs torch 2\.14 or newer; this is "):
        recipes.apply(object(), parse_spec(spec(variant={"recipe": "compiled_generation_cloning"})))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "float8"}, "target.options.dtype is 'float8'; use one of float32, bfloat16, float16"),
        ({"top_p": "most"}, "target.options: temperature and top_p are numbers"),
    ],
)
def it_names_an_option_of_kronos_that_is_wrong(options: dict[str, str], message: str) -> None:
    import sktime.libs.kronos as code

    with pytest.raises(BadInput) as raised:
        kronos.build(code, parse_spec(spec(target={"options": options})), "r1")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("loader", "folder", "message"),
    [
        ("production_wrapper", True, "has no src/models/kronos_wrapper.py: give production's checkout"),
        ("production_wrapper", False, "target.loader is production_wrapper: set target.checkout"),
        ("kronos_checkout", True, "has no model/__init__.py: give the root of a checkout of upstream Kronos"),
        ("kronos_checkout", False, "target.loader is kronos_checkout: set target.checkout"),
    ],
)
def it_names_a_checkout_that_is_not_there(loader: str, folder: bool, message: str, tmp_path: Path) -> None:
    target = {"loader": loader, "checkout": str(tmp_path) if folder else None}
    with pytest.raises(BadInput) as raised:
        import_target(parse_spec(spec(target=target)))
    assert message in str(raised.value)


class DescribeACheckout:
    def it_is_refused_when_its_package_is_something_else(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "model").mkdir()
        (tmp_path / "model" / "__init__.py").write_text("")
        monkeypatch.delitem(sys.modules, "model", raising=False)
        try:
            with pytest.raises(BadInput, match="has no Kronos, KronosTokenizer, KronosPredictor"):
                checkout.load_package(tmp_path)
        finally:
            sys.modules.pop("model", None)

    def it_is_refused_when_another_model_is_loaded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "model", pytest)
        with pytest.raises(BadInput, match="another module named model is loaded already"):
            checkout.load_package(tmp_path)


class DescribeWeights:
    @pytest.mark.parametrize(
        ("files", "message"),
        [
            ({"pytorch_model.bin": b"\x80\x04"}, "only pytorch_model.bin: pickled weights are never loaded"),
            ({"model.safetensors": b"not one"}, "is no readable safetensors file"),
            ({}, "holds no *.safetensors"),
        ],
    )
    def it_refuses_what_is_no_safetensors(self, files: dict[str, bytes], message: str, tmp_path: Path) -> None:
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        with pytest.raises(BadInput) as raised:
            weights.load_weights(torch.nn.Linear(1, 1), tmp_path, "target.weights")
        assert message in str(raised.value)

    @pytest.mark.parametrize(
        ("reference", "message"),
        [
            ("/no/such/folder", "no such folder; give a folder with *.safetensors or a hub id owner/name"),
            ("owner/name", "neither a local folder nor could it be fetched"),
        ],
    )
    def it_refuses_what_is_not_there(
        self, reference: str, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        from huggingface_hub import constants

        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        with pytest.raises(BadInput) as raised:
            weights.find_folder(reference, "target.weights")
        assert message in str(raised.value)
