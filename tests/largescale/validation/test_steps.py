"""Steps 2 and 3 validate by tasks, and any executor gives the same numbers."""

from tests.largescale.alternating.test_classifier_step import STEP, config_of, context_of
from tests.largescale.validation.test_spread import Elsewhere
from tests.support.runs import events
from yt8m.largescale.alternating import aggregator_step, classifier_step
from yt8m.largescale.alternating.plan import Step
from yt8m.largescale.executors.in_process import InProcessExecutor

NUMBERS = ("gap", "map", "perr", "hit_at_1", "hit_at_5", "loss", "num_examples")


def test_each_epoch_and_iteration_is_validated_by_tasks(small_data, tmp_path):
    cluster, logged = Elsewhere(), []
    config = config_of(small_data, {"step3_max_iterations": 1})
    for name, executor in (("here", InProcessExecutor()), ("there", cluster)):
        context = context_of(config, tmp_path / name, executor)
        classifier_step.run(context, STEP, "source")
        aggregator_step.run(context, Step(3, 1), STEP.best)
        logged.append([[e[n] for n in NUMBERS] for e in events(tmp_path / name, "iteration")])
    assert logged[0] == logged[1]
    assert len(logged[0]) == 1 + 2  # step 3 logs its start too
    assert cluster.functions.count("feature_metrics") == 1
    assert cluster.functions.count("record_metrics") == 1 + 1  # of step 2's best model
