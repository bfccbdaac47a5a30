"""One benchmark a file; `BENCHMARKS` has them in the order of the table."""

from __future__ import annotations

from benchmarks.cases import (
    evaluate_moe,
    predict_moe,
    read_frames,
    read_videos,
    train_dbof,
    train_lstm,
    train_moe,
)

BENCHMARKS = [
    module.BENCHMARK
    for module in (
        train_moe,
        train_dbof,
        train_lstm,
        evaluate_moe,
        predict_moe,
        read_frames,
        read_videos,
    )
]
