"""Each command that writes, with its output in a folder of the test's choice."""

from __future__ import annotations

from typing import Any


def commands(made: Any, data: Any, out: Any) -> dict[str, tuple[tuple[str, ...], str]]:
    """Return each command as (its name, flags, the lock of its output)."""
    run, video = f"--train_dir={made}/run", data.pattern("validate", "video")
    read = (run, f"--input_data_pattern={video}")
    fused = ("fuse", f"--inputs={made}/a,{made}/b", "--method=average")
    train = ("train", "--model=LogisticModel", f"--train_data_pattern={video}", "--batch_size=20")
    return {
        "train": ((*train, f"--train_dir={out}/run"), f"{out}/run/yt8m.lock"),
        "start over": (
            (*train, f"--train_dir={out}/run", "--start_new_model"),
            f"{out}/run/yt8m.lock",
        ),
        "eval": (("eval", run, f"--output_dir={out}/eval"), f"{out}/eval/yt8m.lock"),
        "csv": (("predict", *read, f"--output_file={out}/p.csv"), f"{out}/p.csv.lock"),
        "progress": (
            ("predict", *read, f"--output_file={out}/p.csv"),
            f"{out}/p.csv.progress.lock",
        ),
        "scores": (("predict", *read, f"--output_scores={out}/s"), f"{out}/s.lock"),
        "parquet": (
            ("predict", *read, f"--output_scores={out}/s", "--scores_format=parquet"),
            f"{out}/s.lock",
        ),
        "bundle": (("predict", run, f"--output_model_tgz={out}/m.tgz"), f"{out}/m.tgz.lock"),
        "unpacked": (
            ("predict", f"--input_model_tgz={made}/m.tgz", f"--untar_model_dir={out}/u", read[1],
             f"--output_file={out}/p.csv"),
            f"{out}/u/yt8m.lock",
        ),
        "fused": ((*fused, f"--output_file={out}/f.csv"), f"{out}/f.csv.lock"),
        "fused scores": ((*fused, f"--output_scores={out}/f"), f"{out}/f.lock"),
        "report": (("report", f"{made}/run", f"--out={out}/r.html"), f"{out}/r.html.lock"),
        "publish": (
            ("publish", f"{made}/run", f"--out_dir={out}/hub", "--license=apache-2.0"),
            f"{out}/hub.lock",
        ),
        "export": (("export", f"{made}/run", f"--out_dir={out}/x"), f"{out}/x/yt8m.lock"),
        "analyse": (
            ("analyse", f"--data_pattern={video}", f"--out_dir={out}/y"),
            f"{out}/y/report.md.lock",
        ),
    }  # fmt: skip
