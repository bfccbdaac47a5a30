"""The files that resume an alternation keep the format of earlier versions."""

import json

import numpy as np

from yt8m.largescale.alternating.finished_steps import FinishedSteps
from yt8m.largescale.alternating.plan import Step
from yt8m.largescale.alternating.step_state import StepState
from yt8m.runs.folder import RunFolder

FIRST = {"number": 1, "cycle": 0, "gap": 0.5}
SECOND = {"number": 2, "cycle": 1, "gap": 0.6}
BEST = {"after": "step1", "gap": 0.5, "map": 0.25}


def test_finished_steps_are_read_and_added(tmp_path):
    path = tmp_path / "alternation" / "state.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"done": [FIRST], "best": BEST}, indent=1) + "\n")
    finished = FinishedSteps(RunFolder(str(tmp_path)))
    assert finished.gaps == {Step(1, 0): 0.5}
    assert finished.best == BEST
    finished.add(Step(2, 1), 0.6, BEST)
    assert json.loads(path.read_text()) == {"done": [FIRST, SECOND], "best": BEST}


def test_a_step_state_is_read_and_recorded(tmp_path):
    about = json.dumps({"gaps": [0.5, 0.625], "elapsed": 2.0})
    np.savez(tmp_path / "state.npz", about=np.asarray(about), **{"weight.0": np.ones(2)})
    state = StepState(RunFolder(str(tmp_path)), "state.npz")
    assert (state.gaps, state.elapsed, state.iterations) == ([0.5, 0.625], 2.0, 1)
    np.testing.assert_array_equal(state.arrays["weight.0"], [1, 1])
    state.record(0.75, 3.0, {"weight.0": np.zeros(2)})
    again = StepState(RunFolder(str(tmp_path)), "state.npz")
    assert (again.gaps, again.elapsed) == ([0.5, 0.625, 0.75], 3.0)
    np.testing.assert_array_equal(again.arrays["weight.0"], [0, 0])
