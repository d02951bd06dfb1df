"""The loader of Toto where Toto is not installed: shapes, options, refusals. Its real code: tests/cli/test_toto.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kronos_health.probe.worker.errors import BadInput
from kronos_health.probe.worker.spec import TargetSpec, WorkerSpec, parse_spec
from kronos_health.probe.worker.targets import import_target, toto


class Published:
    """Takes what the published configuration names, as ``Toto`` does; renames as it does without xFormers."""

    def __init__(self, embed_dim: int, num_layers: int, use_memory_efficient_attention: bool = True) -> None:
        self.arguments = (embed_dim, num_layers, use_memory_efficient_attention)

    @staticmethod
    def _map_state_dict_keys(state: dict[str, Any], fused: bool) -> dict[str, Any]:
        return dict(state) if fused else {key.replace("mlp.0.w3", "mlp.2"): value for key, value in state.items()}


def code(fast_attention: bool = False) -> SimpleNamespace:
    return SimpleNamespace(Toto=Published, fast_attention=fast_attention, fused_swiglu=False)


def spec(device: str = "cpu", **target: Any) -> WorkerSpec:
    return parse_spec({"device": device, "target": {"name": "toto", "loader": "toto", **target}})


def it_says_what_is_missing_and_how_an_environment_is_made_for_it() -> None:
    with pytest.raises(BadInput, match=r"needs toto-ts in this interpreter.*leave target.interpreter away"):
        import_target(WorkerSpec(target=TargetSpec(name="toto", loader="toto")))


@pytest.mark.parametrize(
    ("asked", "device", "name"), [("auto", "cpu", "tiny"), ("auto", "cuda:0", "base"), ("base", "cpu", "base")]
)
def it_takes_the_published_shape_on_cuda_and_a_tiny_one_on_cpu(asked: str, device: str, name: str) -> None:
    found, size = toto._size(spec(device, size=asked))
    assert (found, size) == (name, toto.SIZES[name])


def it_has_the_shape_of_toto_open_base() -> None:
    config = toto.SIZES["base"].config()
    assert (config["embed_dim"], config["num_layers"], config["num_heads"]) == (768, 12, 12)
    assert (config["mlp_hidden_dim"], config["patch_size"], config["stride"]) == (3072, 64, 64)
    assert config["output_distribution_kwargs"] == {"k_components": 24}


def it_refuses_a_size_that_toto_does_not_come_in() -> None:
    with pytest.raises(BadInput, match=r"target\.size is 'mini'; Toto comes as tiny or base"):
        toto._size(spec(size="mini"))


@pytest.mark.parametrize(
    ("told", "used"), [({}, True), ({"use_kv_cache": "false"}, False), ({"use_kv_cache": 1}, True)]
)
def it_uses_the_cache_of_keys_and_values_unless_told_not_to(told: dict[str, Any], used: bool) -> None:
    assert toto._kv_cache(told) is used


def it_refuses_what_is_neither_true_nor_false() -> None:
    with pytest.raises(BadInput, match=r"target\.options.use_kv_cache is 'maybe'; use true or false"):
        toto._kv_cache({"use_kv_cache": "maybe"})


def it_takes_from_a_published_configuration_only_what_toto_names(tmp_path: Any) -> None:
    (tmp_path / "config.json").write_text('{"embed_dim": 768, "num_layers": 12, "transformers_version": "4.49.0"}')
    without = toto._config(code(), tmp_path, toto.SIZES["tiny"], "target.weights")
    assert without == {"embed_dim": 768, "num_layers": 12, "use_memory_efficient_attention": False}
    assert toto._config(code(True), tmp_path, toto.SIZES["tiny"], "w")["use_memory_efficient_attention"] is True


def it_renames_published_weights_as_toto_does_and_drops_what_is_computed() -> None:
    stored = {"model.layers.0.mlp.0.w3.bias": 1, "model.transformer.rotary_emb.freqs": 2}
    assert toto._renamed(code(), stored) == {"model.layers.0.mlp.2.bias": 1}


@pytest.mark.parametrize(
    ("config", "name"),
    [(toto.SIZES["base"].config(), "base"), ({"num_layers": 6, "embed_dim": 32}, "6x32")],
)
def it_names_the_shape_of_loaded_weights(config: dict[str, Any], name: str) -> None:
    assert toto._shape_name(config) == name
