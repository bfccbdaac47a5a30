"""A command that would write the output of another process is refused, and changes nothing."""

import os
import pathlib
import shutil

from tests.support.commands import refused, run_command
from tests.support.outputs import commands
from yt8m import locks
from yt8m.locks import lock_file
from yt8m.locks.owner import Owner

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
