"""The model of benchmarks/SCALE.md agrees with measurements and with the paper's report."""

import dataclasses

import numpy as np
import pytest

from benchmarks import scale_simulator as simulator

STEADY = simulator.Costs(spread=0.0, deaths=0.0, task_seconds=0.0)


def test_tasks_go_to_the_first_free_worker():
    rng = np.random.default_rng(0)
    assert simulator.makespan(10, 1.0, 1, STEADY, rng) == (10.0, 0)
    assert simulator.makespan(10, 1.0, 4, STEADY, rng) == (3.0, 0)
    assert simulator.makespan(3, 1.0, 8, STEADY, rng) == (1.0, 0)


def test_what_a_dead_worker_was_doing_is_done_again():
    mortal = dataclasses.replace(STEADY, deaths=720.0)  # one every five seconds
    end, again = simulator.makespan(200, 1.0, 4, mortal, np.random.default_rng(0))
    assert 20 < again < 70
    assert 50 < end < 75


def test_a_measured_iteration():
    """33 s over 11,790 videos of the sample, 2048 wide, 5 experts, 2 cores."""
    costs = dataclasses.replace(
        STEADY,
        videos=11_790,
        classes=3_862,
        level="video",
        video_features=1_152,
        mean_experts=5.0,
        task_mb=8.0,
    )
    assert simulator.simulate(costs, 2)["iteration_minutes"] * 60 == pytest.approx(33, rel=0.2)


def test_a_measured_worker():
    """A peak of 1.02 GB with 3.3 M weights and features 2048 wide, for any number of videos."""
    costs = dataclasses.replace(STEADY, videos=2e5, classes=20)
    found = simulator.simulate(costs, 1)["moe_worker_gb"]
    assert found == pytest.approx(1.02, rel=0.05)
    assert simulator.simulate(dataclasses.replace(costs, videos=2e7), 1)["moe_worker_gb"] == found


def test_the_papers_iteration():
    """About 20 minutes over 6.2 M videos of 300 frames on 500 to 5,000 workers (KDD §5).

    Source: docs/sources.md#iteration-time.
    """
    costs = dataclasses.replace(
        simulator.Costs(), videos=6.2e6, classes=4_716, frame_features=1_152, mean_experts=45.0
    )
    few, many = simulator.simulate(costs, 500), simulator.simulate(costs, 5_000)
    assert many["iteration_minutes"] < 20 < few["iteration_minutes"] < 60


def test_the_command_prints_a_column_for_each_number_of_workers(capsys):
    assert simulator.main(["--videos=1e5", "--classes=100", "--workers=1,2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| workers | 1 | 2 |"
    assert len(lines) == 2 + len(simulator._ROWS)


@pytest.mark.parametrize(
    "argument",
    [
        "--level=frames",
        "--workers=0",
        "--workers=2,",
        "--workers=a",
        "--videos=0",
        "--gflops=-1",
        "--spread=-1",
        "--videos=nan",
    ],
)
def test_what_it_cannot_compute_it_says(argument, capsys):
    """An unknown level would be computed as "video"."""
    with pytest.raises(SystemExit) as error:
        simulator.main(["--videos=1e5", "--classes=100", argument])
    name = argument.partition("=")[0]
    assert error.value.code == 2
    assert name in capsys.readouterr().err.splitlines()[-1]
