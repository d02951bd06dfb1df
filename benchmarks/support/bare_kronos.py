"""The bare script: what somebody would write to time Kronos by hand. It knows nothing of kronos-health.

``python bare_kronos.py --size tiny --csv series.csv`` loads sktime's copy of the Kronos code with seeded random
weights, forecasts the last closes of the series one by one, and prints one JSON line with latencies and forecasts.
Shapes, seeds and windows are those of a probe's iteration, so that its forecasts must be the same to the last bit.
"""

from __future__ import annotations

import argparse
import json
import random
import time

import numpy
import pandas
import torch
from sktime.libs.kronos import Kronos, KronosPredictor, KronosTokenizer

WEIGHTS_SEED, SEED = 20251030, 1000
ROWS, CONTEXT, SAMPLES = 600, 256, 8
SHAPES = {  # layers, width, heads, feed-forward, tokenizer's width, tokenizer's group size
    "tiny": (2, 64, 4, 128, 64, 4),
    "mini": (4, 256, 4, 512, 256, 5),
}
NO_DROPOUT = {"ffn_dropout_p": 0.0, "attn_dropout_p": 0.0, "resid_dropout_p": 0.0}


def load(size: str) -> KronosPredictor:
    """Model and tokenizer with the published shapes and random weights."""
    layers, width, heads, inner, token_width, group = SHAPES[size]
    seed_everything(WEIGHTS_SEED)
    model = Kronos(
        s1_bits=10, s2_bits=10, n_layers=layers, d_model=width, n_heads=heads, ff_dim=inner, token_dropout_p=0.0,
        learn_te=True, **NO_DROPOUT,
    )  # fmt: skip
    tokenizer = KronosTokenizer(
        d_in=6, d_model=token_width, n_heads=4, ff_dim=2 * token_width, n_enc_layers=4, n_dec_layers=4, s1_bits=10,
        s2_bits=10, beta=0.05, gamma0=1.0, gamma=1.1, zeta=0.05, group_size=group, **NO_DROPOUT,
    )  # fmt: skip
    return KronosPredictor(model.eval(), tokenizer.eval(), device="cpu", max_context=CONTEXT, clip=5)


def seed_everything(seed: int) -> None:
    """Every generator that a model may draw from."""
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)


def forecast(predictor: KronosPredictor, series: pandas.DataFrame, end: int) -> float:
    """The close of row ``end`` from the rows before it."""
    history = series.iloc[end - CONTEXT : end]
    found = predictor.predict(
        df=history.drop(columns="timestamps"),
        x_timestamp=history["timestamps"].reset_index(drop=True),
        y_timestamp=series["timestamps"].iloc[end : end + 1].reset_index(drop=True),
        pred_len=1, T=1.0, top_k=0, top_p=0.9, sample_count=SAMPLES, verbose=False,
    )  # fmt: skip
    return float(found["close"].iloc[-1])


def main() -> None:
    """Time the forecasts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SHAPES, default="mini")
    parser.add_argument("--csv", required=True)
    parser.add_argument("--predictions", type=int, default=4)
    parser.add_argument("--iteration", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="0: torch's own choice")
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    predictor = load(asked.size)
    series = pandas.read_csv(asked.csv, parse_dates=["timestamps"]).tail(ROWS).reset_index(drop=True)
    latencies, values = [], []
    for index in range(asked.predictions):
        end = ROWS - 1 - (asked.iteration * asked.predictions + index) % (ROWS - CONTEXT)
        seed_everything(SEED + 1000 * asked.iteration + index)
        begun = time.perf_counter_ns()
        values.append(forecast(predictor, series, end))
        latencies.append((time.perf_counter_ns() - begun) / 1e6)
    print(json.dumps({"latencies_ms": latencies, "values": values}))


if __name__ == "__main__":
    main()
