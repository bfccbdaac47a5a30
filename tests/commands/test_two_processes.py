"""A command that would write the output of another process is refused, and changes nothing."""

import os
import pathlib
import shutil

import pytest

from tests.support.commands import refused, run_command
from yt8m import locks
from yt8m.locks import lock_file
from yt8m.locks.owner import Owner


@pytest.fixture(scope="module")
def made(finished_run, small_data, tmp_path_factory):
    """Return a folder with a run, its bundle and two score folders."""
    folder = tmp_path_factory.mktemp("made")
    shutil.copytree(finished_run, folder / "run")
    for name in ("a", "b"):
        ended = run_command(
            "predict",
            f"--train_dir={folder}/run",
            f"--input_data_pattern={small_data.pattern('validate', 'video')}",
            f"--output_scores={folder}/{name}",
            f"--output_model_tgz={folder}/m.tgz",
        )
        assert ended.code == 0, ended.err
    return folder


def commands(made, data, out):
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


NAMES = tuple(commands("", type("Data", (), {"pattern": lambda *_: ""}), ""))


def files_in(folder):
    return {
        os.path.join(above, name): pathlib.Path(above, name).read_bytes()
        for above, _, names in os.walk(folder)
        for name in names
    }


def test_each_command_refuses_the_output_of_another_process(made, small_data, tmp_path):
    shutil.copytree(made / "run", tmp_path / "run")
    for name, ((command, *flags), lock) in commands(made, small_data, tmp_path).items():
        os.makedirs(os.path.dirname(lock), exist_ok=True)
        with open(lock, "wb") as out:
            out.write(Owner.this_process().to_bytes())  # which does not hold this lock
        before = files_in(tmp_path)
        message = refused(command, *flags)
        assert f"another process is writing {'the output of ' * (name == 'progress')}--" in message
        assert f"process {os.getpid()} (`" in message
        assert files_in(tmp_path) == before, name
        os.remove(lock)


def test_a_killed_training_is_resumed_at_once(made, small_data, tmp_path):
    shutil.copytree(made / "run", tmp_path / "run")
    unfinished = tmp_path / "run/checkpoints/ckpt-9_temp"
    unfinished.mkdir()
    (unfinished / "part-00000-of-00001").write_bytes(b"half")
    (tmp_path / "run/best/model.weights.h5.1234abcd.tmp").write_bytes(b"half")
    (tmp_path / "run/config.json.tmp").write_bytes(b"half")
    killed = Owner(**{**Owner.this_process().__dict__, "started": "1"})
    (tmp_path / "run" / locks.IN_FOLDER).write_bytes(killed.to_bytes())
    ended = run_command(
        "train",
        "--model=LogisticModel",
        f"--train_data_pattern={small_data.pattern('train', 'video')}",
        f"--eval_data_pattern={small_data.pattern('validate', 'video')}",
        f"--train_dir={tmp_path}/run",
        "--batch_size=50",
        "--num_epochs=1",
        "--base_learning_rate=0.02",
        "--weight_average=0",
        "--max_frames=16",
        "--progress_seconds=1000000000",
    )
    assert ended.code == 0, ended.err
    assert "took over the lock" in ended.out
    left = {os.path.basename(path) for path in files_in(tmp_path)}
    assert locks.IN_FOLDER not in left
    assert not any("tmp" in name or "part-" in name for name in left)


def test_a_watching_evaluation_waits_for_another(made, tmp_path, monkeypatch, small_data):
    monkeypatch.setattr(lock_file, "_WRITTEN_WITHIN", 0.1)
    lock = tmp_path / "eval/yt8m.lock"
    lock.parent.mkdir()
    lock.write_bytes(Owner.this_process().to_bytes())
    monkeypatch.setattr("time.sleep", lambda _: lock.unlink(missing_ok=True))
    ended = run_command(
        "eval", f"--train_dir={made}/run", f"--output_dir={tmp_path}/eval", "--watch"
    )
    assert ended.code == 0, ended.err
    assert "another process is writing --output_dir=" in ended.out
    assert (tmp_path / "eval/metrics.json").exists()
