"""A trained model, as evaluation and prediction read it from a run."""

import pytest

from tests.support.runs import run_on
from tests.support.untrained import save_untrained
from yt8m.runs import trained_model
from yt8m.runs.devices.machine import Machine
from yt8m.runs.trained_model import TrainedModel


@pytest.mark.parametrize(
    ("instructions", "policy"), [("avx512_bf16", "mixed_bfloat16"), ("avx2", "float32")]
)
def test_a_run_in_bfloat16_computes_in_it_where_the_cpu_can(
    instructions, policy, small_data, tmp_path, monkeypatch
):
    config = run_on(small_data, "MoeModel", dtype="bfloat16")
    run = save_untrained(config, tmp_path / "run")
    machine = Machine(cpu_flags=frozenset({instructions}))
    monkeypatch.setattr(trained_model, "this_machine", lambda: machine)
    trained = TrainedModel(run)
    assert trained.model.head.dtype_policy.name == policy
    assert policy.endswith(trained.dtype.dtype)
    said = []
    trained.opened(small_data.pattern("validate", "video"), "--x", 8, None, True, said.append)
    assert trained.dtype.dtype in said[0]
