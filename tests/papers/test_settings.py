"""The flags of every command of every row exist, and so do the options of its model."""

import pytest

from tests.support.commands import train_flags
from yt8m.commands import train
from yt8m.models.core import registry
from yt8m.papers import commands
from yt8m.papers.row_files import load_all
from yt8m.papers.small_data import describe
from yt8m.runs import new_run


def training_steps():
    for row in load_all().values():
        for which in ("small", "paper", "code"):
            if which == "code" and not row.code:
                continue
            variant = row.variant(which)
            if variant.fuse:
                continue
            for name in variant.data if which == "small" else ("",):
                data = describe(name, "data") if name else commands.PAPER_DATA
                steps = commands.training_steps(row, which, data, 0, "RUN", lambda n: "OTHER")
                for step in steps:
                    if step.kind == "train":
                        name = f"{row.name}-{which}-{data.name}-{step.name}"
                        yield pytest.param(variant, step, id=name)


@pytest.mark.parametrize(("variant", "step"), list(training_steps()))
def test_every_flag_and_every_option_exists(variant, step):
    values = train_flags(*step.arguments[1:])
    model = registry.model_class(values.model)
    arguments = train.arguments_from_flags(values, model)  # refuses unknown options
    chosen = new_run.choose(model, values.starter_defaults, train.settings_from_flags(values))
    assert chosen.alternation is None or chosen.training.eval_data_pattern, (
        "the alternating trainer's steps end by validation"
    )
    assert values.base_learning_rate, "a row does not follow the recipe when it changes"
    assert values.num_epochs or values.max_steps
    assert model.level == variant.level
    # The values are right too: the model can be made, with few classes and large arguments shrunk.
    small = {
        k: 8 if isinstance(v, int) and not isinstance(v, bool) and v > 8 else v
        for k, v in arguments.items()
    }
    model(num_classes=9, feature_sizes=(12, 4), **small)
