"""The model card and Kaggle's files: every statement is the run's own, and hubs can read them."""

import dataclasses
import json
import re
import shutil
import sys

import pytest
import yaml
from huggingface_hub import ModelCard, metadata_load

from tests.support.commands import run_command
from tests.support.runs import run_on, with_training
from tests.support.untrained import save_untrained
from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.publish.data_sets import data_set, split_of
from yt8m.publish.described import command_line
from yt8m.publish.publication import publish
from yt8m.runs.folder import RunFolder


@pytest.fixture(scope="module")
def run(finished_run, tmp_path_factory):
    """Return the folder of a finished and evaluated run."""
    folder = tmp_path_factory.mktemp("run") / "lr"
    shutil.copytree(finished_run, folder)
    assert run_command("eval", f"--train_dir={folder}").code == 0
    return folder


@pytest.fixture
def out(run, tmp_path):
    """Return that run, published."""
    publish(str(run), str(tmp_path / "out"), name="some_one/My.Model", dataset="youtube-8m")
    return tmp_path / "out"


def text_of(run, out, **more):
    """Publish a run, and return the card and what was printed."""
    said = []
    publish(str(run), str(out), say=said.append, **more)
    return (out / "README.md").read_text(), "\n".join(said)


def test_the_front_matter_is_what_the_hub_reads(run, out):
    metrics = json.loads((run / "eval" / "metrics.json").read_text())
    card = ModelCard.load(str(out / "README.md"))
    assert card.data.license == "cc-by-4.0"
    assert (card.data.library_name, card.data.pipeline_tag) == ("yt8m", "video-classification")
    assert card.data.datasets == ["youtube-8m"]
    results = {result.metric_type: result for result in card.data.eval_results}
    assert {"gap", "map", "perr", "hit_at_1", "hit_at_5"} == set(results) == set(card.data.metrics)
    for key, result in results.items():
        assert result.metric_value == pytest.approx(metrics[key], abs=1e-6)
        assert (result.task_type, result.dataset_split) == ("video-classification", "validate")
    front = metadata_load(out / "README.md")
    assert front["model-index"][0]["name"] == "My.Model"
    assert front == yaml.safe_load((out / "README.md").read_text().split("---\n")[1])


def test_the_text_states_the_facts_of_the_run(run, out):
    text = (out / "README.md").read_text()
    metrics = json.loads((run / "eval" / "metrics.json").read_text())
    facts = RunFolder(str(run)).load_config()
    assert f"| GAP@20 | {metrics['gap']:.4f} |" in text
    assert "Measured on 160 examples" in text
    assert "chosen on the same records" in text
    assert facts.training.train_data_pattern in text
    assert 'yt8m.load_run("hf://some_one/My.Model")' in text
    assert "492 parameters" in text  # 40 x 12 weights and 12 biases
    assert "CC BY 4.0" in text
    assert "{" not in re.sub(r"\$\{PATH\}", "", text)


def test_a_run_that_was_not_evaluated_states_no_metric(finished_run, tmp_path):
    text, said = text_of(finished_run, tmp_path / "out")
    assert f"yt8m eval --train_dir={finished_run}" in said
    assert "GAP" not in text
    assert "No evaluation of these weights was published" in text
    assert not (tmp_path / "out" / "metrics.json").exists()
    assert "model-index" not in metadata_load(tmp_path / "out" / "README.md")


@pytest.mark.parametrize(
    ("change", "said"),
    [({"step": 3}, "that of step 3"), ({"weights": "x/last/model.weights.h5"}, "its last model")],
)
def test_metrics_of_other_weights_are_not_stated(run, tmp_path, change, said):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    path = copy / "eval" / "metrics.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    text, printed = text_of(copy, tmp_path / "out")
    assert said in printed
    assert "GAP" not in text


def test_the_evaluation_names_the_step_of_its_weights(run):
    evaluated, best = (
        json.loads((run / folder / "metrics.json").read_text()) for folder in ("eval", "best")
    )
    assert evaluated["step"] == best["step"] > 0


def test_a_run_that_has_not_ended_says_so(small_data, tmp_path):
    run = save_untrained(run_on(small_data, "LogisticModel"), tmp_path / "run")
    assert "had not ended" in text_of(run, tmp_path / "out")[0]


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (["/x/train.py", "--a=b c"], "python train.py '--a=b c'"),
        (["/usr/bin/yt8m", "train", "--a=1"], "yt8m train --a=1"),
        (["/x/yt8m/__main__.py", "train"], "yt8m train"),
        (["ipykernel_launcher.py", "-f", "x.json"], None),
        (None, None),
    ],
)
def test_the_command_is_shown_if_it_was_one(small_data, command, line):
    config = dataclasses.replace(
        run_on(small_data, "LogisticModel"), facts={"command": command} if command else {}
    )
    assert command_line(config) == line


YT8M = {"feature_names": ("mean_rgb", "mean_audio"), "feature_sizes": (1024, 128)}
AUDIO = {"feature_names": ("audio_embedding",), "feature_sizes": (128,), "num_classes": 527}


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        ({**YT8M, "num_classes": 3862}, "YouTube-8M (May 2018)"),
        ({**YT8M, "num_classes": 4716}, "YouTube-8M (February 2017)"),
        ({**YT8M, "num_classes": 10}, "records of no data set that yt8m recognizes"),
        ({**YT8M, "feature_sizes": (512, 128), "num_classes": 3862}, "records of no data set"),
        (AUDIO, "AudioSet"),
        ({**AUDIO, "num_classes": 10}, "records of no data set"),
    ],
)
def test_the_data_set_is_recognized_by_its_classes_and_features(small_data, schema, name):
    config = with_training(
        run_on(small_data, "LogisticModel"), train_data_pattern="data/train*.tfrecord"
    )
    config = dataclasses.replace(config, schema=RecordSchema("video", **schema))
    assert data_set(config).name.startswith(name)
    assert data_set(config, "other").id == ""


def test_synthetic_records_are_recognized_by_their_folder(small_data):
    assert data_set(run_on(small_data, "LogisticModel")).name == "synthetic records"


@pytest.mark.parametrize(
    ("pattern", "split"),
    [("a/train*.tfrecord", "train"), ("a/train1,b/train2", "train"), ("a/train1,a/validate1", ""),
     ("a/train1,a/x", ""), ("a/*", ""), ("gs://b/test*", "test")],
)  # fmt: skip
def test_a_split_is_that_of_all_shards(pattern, split):
    assert split_of(pattern) == split


def test_kaggle_takes_its_two_files(out):
    """The fields are those of Kaggle's templates, and the values pass its command's checks."""
    model, instance = (
        json.loads((out / f"{name}-metadata.json").read_text())
        for name in ("model", "model-instance")
    )
    assert list(model) == [
        "ownerSlug", "title", "slug", "subtitle", "isPrivate", "description", "publishTime",
        "provenanceSources",
    ]  # fmt: skip
    assert list(instance) == [
        "ownerSlug", "modelSlug", "instanceSlug", "framework", "overview", "usage", "licenseName",
        "fineTunable", "trainingData", "modelInstanceType", "baseModelInstance",
        "externalBaseModelUrl",
    ]  # fmt: skip
    assert (model["ownerSlug"], model["slug"]) == ("some-one", "my-model")
    assert (instance["ownerSlug"], instance["modelSlug"]) == ("some-one", "my-model")
    assert instance["instanceSlug"] == "logisticmodel"
    assert instance["licenseName"] == "Attribution 4.0 International (CC BY 4.0)"
    assert instance["trainingData"] == ["https://research.google.com/youtube8m/"]
    assert model["description"].startswith("# LogisticModel on YouTube-8M")


def test_without_a_name_kaggle_refuses_until_it_is_written(run, tmp_path):
    publish(str(run), str(tmp_path / "out"), say=lambda _: None)
    model = json.loads((tmp_path / "out" / "model-metadata.json").read_text())
    assert (model["ownerSlug"], model["slug"]) == ("INSERT_OWNER_SLUG_HERE", "INSERT_SLUG_HERE")


def test_without_the_library_the_extra_is_named(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=re.escape("pip install 'yt8m[hub]'")):
        publish(str(run), str(tmp_path / "out"))
    assert not list(tmp_path.iterdir())
