"""The public functions: their examples run, and they change no global state."""

import doctest
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import yt8m
from yt8m import api

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="module")
def folder(small_data, tmp_path_factory):
    """A folder with records in data/, and a run in runs/moe made by the example of `train`."""
    path = tmp_path_factory.mktemp("examples")
    (path / "data").symlink_to(small_data.folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        run_example(api.train)
    return path


def run_example(documented):
    """Execute the examples of a docstring, and compare what each gives with what it shows."""
    examples = doctest.DocTestParser().get_examples(documented.__doc__)
    assert examples, f"{documented} shows no example"
    names = {}
    for example in examples:
        if example.want:
            assert repr(eval(example.source, names)) == example.want.strip(), example.source
        else:
            exec(example.source, names)


@pytest.mark.parametrize(
    "documented",
    [
        api.list_models,
        api.create_model,
        api.open_dataset,
        api.load_run,
        api.Run.labels,
        api.Run.named,
        api.Run.predict,
        api.Run.predict_with_ids,
        api.Run.evaluate,
    ],
    ids=lambda d: getattr(d, "__qualname__", "labels"),
)
def test_the_example_runs(documented, folder, monkeypatch):
    monkeypatch.chdir(folder)
    run_example(documented)


def test_arrays_records_and_batches_give_the_same_predictions(folder, small_data, monkeypatch):
    monkeypatch.chdir(folder)
    run = yt8m.load_run(str(folder / "runs" / "moe"))
    pattern = small_data.pattern("test", "video")
    dataset = yt8m.open_dataset(pattern, batch_size=16)
    features = np.concatenate([batch["video"] for batch in dataset])
    expected = run.predict(pattern)
    assert expected.shape == (40, 12)
    assert expected.dtype == np.float32
    for same in (dataset, features, iter(dataset)):
        np.testing.assert_allclose(run.predict(same), expected, atol=1e-6)
    ids, scores = zip(*run.predict_with_ids(dataset))
    assert len({i for part in ids for i in part}) == 40
    np.testing.assert_allclose(np.concatenate(scores), expected, atol=1e-6)
    assert run.labels[:2] == ["scene 0", "scene 1"]


def test_features_of_another_width_are_refused(folder):
    run = yt8m.load_run(str(folder / "runs" / "moe"))
    with pytest.raises(ValueError, match=r"shape \[N, D\] with D = 40 were expected, not \(2, 3\)"):
        run.predict(np.zeros([2, 3]))


def test_an_evaluation_is_that_of_the_command_and_writes_only_where_it_is_told(folder, monkeypatch):
    monkeypatch.chdir(folder)
    run = yt8m.load_run(str(folder / "runs" / "moe"))
    metrics = run.evaluate(output_dir=str(folder / "written"))
    assert metrics["num_examples"] == 160
    assert (folder / "written" / "metrics.json").exists()
    assert not (folder / "runs" / "moe" / "eval").exists()


def test_an_unknown_setting_is_refused_with_the_nearest(folder, small_data):
    pattern = small_data.pattern("train", "video")
    with pytest.raises(
        yt8m.UserError, match=r"'batchsize' is not a setting.*Did you mean batch_size"
    ):
        yt8m.train("MoeModel", pattern, train_dir=str(folder / "x"), batchsize=3)
    with pytest.raises(yt8m.UserError, match="--batch_size=0: expected"):
        yt8m.train("MoeModel", pattern, train_dir=str(folder / "x"), batch_size=0)
    assert not (folder / "x").exists()


def test_a_run_leaves_the_dtype_policy_as_it_was(folder, small_data):
    pattern = small_data.pattern("train", "video")
    before = tf.keras.mixed_precision.global_policy().name
    run = yt8m.train(
        "LogisticModel",
        pattern,
        train_dir=str(folder / "half"),
        dtype="bfloat16",
        max_steps=1,
        batch_size=50,
    )
    assert tf.keras.mixed_precision.global_policy().name == before
    assert run.predict(np.zeros([1, 40], np.float32)).dtype == np.float32


def test_importing_the_package_is_fast_and_touches_nothing():
    code = (
        "import sys, time; start = time.perf_counter(); import yt8m; "
        "assert time.perf_counter() - start < 0.3; assert 'tensorflow' not in sys.modules; "
        "assert set(yt8m.__all__) <= set(dir(yt8m)); "
        "import os; os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'; yt8m.list_models; "
        "assert 'yt8m.process.quiet' not in sys.modules, 'the library is not to redirect stderr'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=120)


def test_what_is_not_public_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'run_config'"):
        yt8m.run_config  # noqa: B018
