"""What commands read: a run, its bundle and two score folders."""

import shutil

import pytest

from tests.support.commands import run_command


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
