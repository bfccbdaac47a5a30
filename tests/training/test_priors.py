"""All processes of a run start from the same label priors."""

import numpy as np
import pytest

from tests.support.runs import run_config
from yt8m.data.files.shards import find_shards
from yt8m.errors import UserError
from yt8m.runs.folder import RunFolder
from yt8m.training.priors import starting_priors


def test_a_worker_does_not_take_priors_that_the_chief_is_about_to_remove(small_data, tmp_path):
    """They are a refused command's, perhaps for other data; its weights would differ."""
    config, run = run_config(small_data, "LogisticModel", epochs=1), RunFolder(str(tmp_path))
    files = find_shards(config.training.train_data_pattern)
    run.save_priors(np.full(12, 0.5))
    assert not np.any(starting_priors(config, run, files, str, keep=False) == 0.5)
    run.write_text("config.json", config.to_json())  # of a run that was begun, they are right
    assert starting_priors(config, run, files, str, keep=False).tolist() == [0.5] * 12


def test_priors_are_kept_and_taken_from_an_earlier_run(finished_run, small_data, tmp_path):
    priors = np.load(finished_run / "priors.npy")
    assert priors.shape == (12,)
    assert 0.5 < priors.sum() < 6
    config = run_config(small_data, "LogisticModel", priors_from=str(finished_run))
    run = RunFolder(str(tmp_path))
    np.testing.assert_array_equal(starting_priors(config, run, [], str), priors)
    np.testing.assert_array_equal(np.load(tmp_path / "priors.npy"), priors)


def test_a_folder_without_priors_is_named(small_data, tmp_path):
    config = run_config(small_data, "LogisticModel", priors_from=str(tmp_path))
    with pytest.raises(UserError, match=r"--priors_from=.* contains no priors.npy"):
        starting_priors(config, RunFolder(str(tmp_path / "run")), [], str)
