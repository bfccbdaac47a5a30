"""A published run read by its address hf://OWNER/NAME, from a local server named by HF_ENDPOINT."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tests.support.commands import run_command
from tests.support.hub_server import serving
from yt8m import files
from yt8m.api import load_run
from yt8m.publish.publication import publish

# The commands, one after the other in one process, which starts TensorFlow once.
PROGRAM = """
import sys
import yt8m.process.quiet
import numpy as np
import yt8m
from yt8m import cli

folder, test, validate, train = sys.argv[1:]
run = yt8m.load_run("hf://some/model")
np.save(folder + "/scores.npy", run.predict(test))
assert run.labels[0] != "0", run.labels
model = "--train_dir=hf://some/model"
codes = [
    cli.call("predict", [model, "--input_data_pattern=" + test,
                         "--output_file=" + folder + "/a.csv"]),
    cli.call("eval", [model, "--eval_data_pattern=" + validate, "--output_dir=" + folder]),
    cli.call("eval", [model, "--eval_data_pattern=" + validate]),
    cli.call("train", ["--model=LogisticModel", model, "--train_data_pattern=" + train]),
    cli.call("train", [
        "--model=LogisticModel", "--init_from=hf://some/model", "--train_data_pattern=" + train,
        "--train_dir=" + folder + "/new", "--max_steps=1", "--batch_size=50",
    ]),
    cli.call("publish", ["hf://some/model", "--out_dir=" + folder + "/again"]),
    cli.call("predict", ["--train_dir=hf://some/other", "--output_scores=" + folder + "/b",
                         "--input_data_pattern=" + test]),
]
print("codes", codes)
"""


@pytest.mark.slow
def test_an_address_stands_for_a_run_wherever_one_is_read(finished_run, small_data, tmp_path):
    published = tmp_path / "published"
    publish(str(finished_run), str(published))
    test, validate, train = (small_data.pattern(s, "video") for s in ("test", "validate", "train"))
    with serving() as hub:
        hub.folders["some/model"] = published
        environment = {
            **os.environ,
            "HF_ENDPOINT": hub.endpoint,
            "HF_HOME": str(tmp_path / "cache"),
            "PYTHONPATH": os.getcwd(),
        }
        ended = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(tmp_path), test, validate, train],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        downloads = [asked for asked in hub.asked if asked.endswith("/model.weights.h5")]
    assert "codes [0, 0, 2, 2, 0, 0, 2]" in ended.stdout, ended.stdout + ended.stderr
    assert [asked.split()[0] for asked in downloads] == ["HEAD", "GET"]
    for said in ("--output_dir is missing", "which is only read", "has no such model"):
        assert said in ended.stderr
    assert "started from the LogisticModel in" in ended.stdout
    np.testing.assert_array_equal(
        np.load(tmp_path / "scores.npy"), load_run(str(finished_run)).predict(test)
    )
    own = tmp_path / "own.csv"
    arguments = [f"--train_dir={finished_run}", f"--input_data_pattern={test}"]
    assert run_command("predict", *arguments, f"--output_file={own}").code == 0
    assert (tmp_path / "a.csv").read_text() == own.read_text()
    measured = files.read_json(str(tmp_path / "metrics.json"))
    best = files.read_json(str(finished_run / "best" / "metrics.json"))
    assert measured["gap"] == pytest.approx(best["gap"], abs=1e-6)
    weights = "model.weights.h5"
    assert (tmp_path / "again" / weights).read_bytes() == (published / weights).read_bytes()
