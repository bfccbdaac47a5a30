"""The model card: README.md, whose front matter the Hugging Face Hub reads."""

from __future__ import annotations

from typing import Any

from yt8m.errors import UserError
from yt8m.hub import EXTRA, PREFIX
from yt8m.publish.data_sets import split_of
from yt8m.publish.described import Described, command_line

# Key in metrics.json -> name; {k} is the number of predictions per video that count.
_METRICS = {
    "gap": "GAP@{k}",
    "map": "MAP@{k}",
    "perr": "PERR",
    "hit_at_1": "Hit@1",
    "hit_at_5": "Hit@5",
    "segment_map": "segment MAP",
}
_VERSIONS = {
    "tensorflow": "TensorFlow",
    "keras": "Keras",
    "numpy": "NumPy",
    "python": "Python",
}


def model_card(model: Described) -> str:
    """Return the text of README.md.

    Raises:
      UserError: huggingface_hub, which writes the front matter, is not installed.
    """
    return f"---\n{_front_matter(model)}\n---\n\n{card_text(model)}"


def card_text(model: Described) -> str:
    """Return the card without its front matter, as Markdown."""
    parts = [_heading, _loading, _data, _training, _results, _limits, _licenses]
    return "\n\n".join(part(model) for part in parts) + "\n"


def measured(model: Described) -> dict[str, tuple[str, float]]:
    """Return key -> (name, value) of the metrics; empty if the run has not been evaluated."""
    found = model.metrics or {}
    return {
        key: (name.format(k=found.get("top_k", 20)), float(found[key]))
        for key, name in _METRICS.items()
        if key in found
    }


def _front_matter(model: Described) -> str:
    try:
        from huggingface_hub import EvalResult, ModelCardData
    except ImportError:
        raise UserError(f"the front matter of the model card: {EXTRA}") from None
    results = None
    if model.metrics:
        results = [
            EvalResult(
                task_type=model.data.task,
                dataset_type=model.data.id or "other",
                dataset_name=model.data.name,
                dataset_split=split_of(model.metrics["data"]) or None,
                metric_type=key,
                metric_name=name,
                metric_value=round(value, 6),
            )
            for key, (name, value) in measured(model).items()
        ]
    more: dict[str, Any] = {"datasets": [model.data.id]} if model.data.id else {}
    data = ModelCardData(
        license=model.license_id,
        # The Hub shows no code for a library that it does not have; Keras's would not work.
        library_name="yt8m",
        pipeline_tag=model.data.task,
        tags=["yt8m", "multi-label-classification", model.config.schema.level + "-level"],
        metrics=list(measured(model)) or None,
        model_name=model.name.rpartition("/")[2],
        eval_results=results,
        **more,
    )
    return data.to_yaml().rstrip()


def _heading(model: Described) -> str:
    schema = model.config.schema
    features = ", ".join(f"{n} ({s})" for n, s in zip(schema.all_names, schema.all_sizes))
    frames = f" and at most {schema.max_frames} frames" if schema.level == "frame" else ""
    vocabulary = " (`vocabulary.csv`)" if model.has_vocabulary else ""
    return (
        f"# {model.title}\n\n{model.about} It takes {schema.level}-level features of a video,"
        f" {features}{frames}, and returns a probability for each of {schema.num_classes:,}"
        f" classes{vocabulary}. It has {model.parameters:,} parameters, and was trained with yt8m"
        f" {model.config.facts.get('yt8m', '')}."
    )


def _loading(model: Described) -> str:
    address = f"{PREFIX}{model.name}"
    return f"""## How to load it

With yt8m and its extra `hub` installed, in Python:

```python
import yt8m

run = yt8m.load_run("{address}")
probabilities = run.predict("data/test*.tfrecord")  # [N, {model.config.schema.num_classes}]
```

and on the command line:

```sh
yt8m predict --train_dir={address} --input_data_pattern='data/test*.tfrecord' \\
    --output_file=submission.csv
```

`--init_from={address}` starts another run from these weights.
The path of a downloaded copy of this folder can stand for the address.
The weights load under Keras 2 (TensorFlow 2.15) and under Keras 3."""


def _data(model: Described) -> str:
    name = f"[{model.data.name}]({model.data.url})" if model.data.url else model.data.name
    training, records = model.config.training, model.config.facts.get("records")
    about = f" About {records:,} records." if records else ""
    validated = "none"
    if training.eval_data_pattern:
        validated = _files(model, "eval_data", training.eval_data_pattern)
    return f"""## Data

This model was trained on {name}.

- Training: {_files(model, "data", training.train_data_pattern)}{about}
- Validation during training: {validated}"""


def _files(model: Described, fact: str, pattern: str) -> str:
    """Describe shards: their number, split, pattern, bytes and fingerprint."""
    found, split = model.config.facts.get(fact), split_of(pattern)
    shards = f"shards of the {split} split" if split else "shards"
    if not found:
        return f"{shards}, `{pattern}`."
    return (
        f"{found['shards']:,} {shards}, `{pattern}`, {found['bytes']:,} bytes; the SHA-1 of the"
        f" names and sizes of the shards is `{found['sha1']}`."
    )


def _training(model: Described) -> str:
    recipe, command = model.config.recipe, command_line(model.config)
    began = "The run was begun from Python."
    if command:
        began = f"This command began the run:\n\n```sh\n{command}\n```"
    chosen = "with the best validation" if model.checkpoint == "best" else "saved last"
    step = "" if model.step is None else f", after {model.step:,} steps"
    ended = "" if model.finished else " The run had not ended when they were published."
    facts = model.config.facts
    versions = ", ".join(f"{n} {facts[key]}" for key, n in _VERSIONS.items() if key in facts)
    return f"""## Training

{began}

- Optimizer: {recipe.optimizer}, learning rate {recipe.base_learning_rate:g}
- Batch size: {recipe.batch_size:,}
- Loss: {recipe.label_loss}
- Epochs: at most {recipe.num_epochs}
- Versions: {versions}

`config.json` has every setting. The weights are those {chosen}{step}.{ended}"""


def _results(model: Described) -> str:
    found = model.metrics
    if not found:
        return (
            "## Results\n\nNo evaluation of these weights was published. `yt8m eval"
            " --train_dir=RUN` makes one, and `yt8m publish RUN` then states it here."
        )
    same = found["data"] == model.config.training.eval_data_pattern
    chosen = (
        "The best weights were chosen on the same records." if model.checkpoint == "best" else ""
    )
    rows = "\n".join(f"| {name} | {value:.4f} |" for name, value in measured(model).values())
    about = (
        f"Measured on {found['num_examples']:,} examples, in which"
        f" {found['num_classes_with_positives']:,} of {model.config.schema.num_classes:,} classes"
        f" have positives: {_files(model, 'eval_data' if same else '', found['data'])}"
        f" {chosen if same else ''}"
    )
    return f"""## Results

{about.rstrip()}

| metric | value |
|---|---|
{rows}

`metrics.json` has the exact numbers."""


def _limits(model: Described) -> str:
    return (
        "## Intended use and limits\n\nFor research on video annotation, for comparisons and"
        " submissions on this data set, and as a start for further training. It has not been"
        " examined for fairness among groups of people, and should decide nothing about a person."
        f"\n\n{model.data.limits}"
    )


def _licenses(model: Described) -> str:
    return (
        f"## Licenses\n\n- The weights: {model.license.name} (`{model.license_id}`).\n"
        f"- The data: {model.data.license}\n- The code of yt8m: Apache License 2.0."
    )
