"""A diagnosis reads the same on every face."""

from __future__ import annotations

import pytest

from kronos_health.domain.leaks import advice, brief, story
from kronos_health.domain.probes import Frame, Keeper, Leak

NORM = Frame("site-packages/kronos/module.py", 329, "forward", "return output * self.weight")
COS = Frame("site-packages/kronos/module.py", 360, "_update_cos_sin_cache", "self.cos_cached = emb.cos()")
CALL = Frame("site-packages/kronos/kronos.py", 444, "decode", "s2 = model.decode_s2(context, s1)")
HANDED = Leak(
    True, "Kronos.decode_s1", 1, "float32[2, 64, 64]", NORM, Keeper.HANDOFF, "context", "Kronos.decode_s2", CALL
)


def parked(layer: int, read: bool = False) -> Leak:
    path = f"model.transformer[{layer}].rotary.cos_cached"
    reader = "Kronos.decode_s1" if read else None
    return Leak(read, "Kronos.decode_s1", 3 + layer, "float32[64, 16]", COS, Keeper.PARKED, path, reader)


def kept(keeper: Keeper, by: str) -> Leak:
    return Leak(True, "Layers.forward", 0, "float32[1]", NORM, keeper, by)


def it_names_output_and_keeper_in_one_line_and_what_is_kept_besides() -> None:
    assert brief([HANDED, parked(0), parked(1)]) == (
        "output 1 of Kronos.decode_s1, handed to Kronos.decode_s2 as context; "
        "also kept: model.transformer[*].rotary.cos_cached (2)"
    )


def it_tells_where_it_was_made_and_read() -> None:
    assert story([HANDED, parked(0)]) == (
        "Kronos.decode_s1 made output 1 (float32[2, 64, 64]) at `return output * self.weight` (kronos/module.py:329).",
        (
            "It was handed to Kronos.decode_s2 as context, in a new generation, at `s2 = model.decode_s2(context, s1)` "
            "(kronos/kronos.py:444)."
        ),
        "Also kept: model.transformer[*].rotary.cos_cached.",
    )
    assert story([parked(0, read=True)])[1] == (
        "It was parked as model.transformer[0].rotary.cos_cached, and Kronos.decode_s1 read it after a later run."
    )


@pytest.mark.parametrize(
    ("leak", "words"),
    [
        (kept(Keeper.ATTRIBUTE, "target.last"), "kept as target.last"),
        (kept(Keeper.VARIABLE, "samples[0] in predict"), "kept in the variable samples[0] in predict"),
        (kept(Keeper.FORECAST, "the forecast that predict() returned"), "kept by whoever has the forecast"),
        (kept(Keeper.UNKNOWN, ""), "kept where this search does not reach"),
    ],
)
def it_has_words_for_every_keeper(leak: Leak, words: str) -> None:
    assert words in brief([leak])
    assert words in story([leak])[1]
    assert "code that is not compiled read it" in story([leak])[1]


def it_advises_once_per_cause() -> None:
    assert advice([HANDED, parked(0), parked(1)]) == (
        (
            "Clone what Kronos.decode_s1 returns, outside the compiled call, or call "
            "torch.compiler.cudagraph_mark_step_begin() once per step, before Kronos.decode_s1."
        ),
        "Make cos_cached ahead, outside the compiled code, for instance as a buffer.",
    )
    assert advice([kept(Keeper.ATTRIBUTE, "target.last")]) == (
        "Clone what Layers.forward returns, outside the compiled call, before it is kept.",
    )
    assert advice([kept(Keeper.UNKNOWN, "")]) == ()


def it_says_nothing_where_nothing_leaks() -> None:
    assert (brief([]), story([]), advice([])) == ("", (), ())
