"""Curves from logs that a killed driver left, and their figures."""

import dataclasses

import pytest

from tests.support.runs import new_run
from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.largescale import figures
from yt8m.largescale.curves import read_curve
from yt8m.runs.folder import RunFolder
from yt8m.runs.settings.alternation import AlternationConfig


def make_run(folder, fraction=1.0, records=100, alternation=True, iterations=1):
    schema = RecordSchema("video", ("mean_rgb",), (4,), 3)
    settings = AlternationConfig(batch_fraction=fraction) if alternation else None
    config = new_run("x", "VideoDbofBasic", schema=schema, alternation=settings)
    config = dataclasses.replace(config, facts={"records": records})
    run = RunFolder(str(folder))
    run.write_text("config.json", config.to_json())
    lines = [
        ("step1", 1, 0, 1, 10, 0.5),
        ("step1", 1, 0, 2, 20, 0.6),
        ("cycle1_step2", 2, 1, 1, 5, 0.55),
    ]
    lines += [("step1", 1, 0, 2, 21, 0.61)]  # the driver died before it recorded step 1
    lines += [("cycle1_step2", 2, 1, 1, 6, 0.56), ("cycle1_step2", 2, 1, 2, 12, 0.65)]
    lines += [("cycle1_step3", 3, 1, i, 30 * i, 0.65 + 0.01 * i) for i in range(iterations + 1)]
    for name, number, cycle, iteration, elapsed, gap in lines:
        run.log(
            "iteration",
            name=name,
            number=number,
            cycle=cycle,
            iteration=iteration,
            elapsed=elapsed,
            gap=gap,
            map=gap / 2,
        )
    return str(folder)


def test_a_curve_holds_each_iteration_once_and_adds_the_steps_times(tmp_path):
    curve = read_curve(make_run(tmp_path))
    assert [(p.seconds, p.gap) for p in curve.points] == [
        (10, 0.5), (21, 0.61), (27, 0.56), (33, 0.65), (33, 0.65), (63, 0.66),
    ]  # fmt: skip
    assert curve.boundaries() == [(0, "step1"), (2, "cycle1_step2"), (4, "cycle1_step3")]
    assert curve.of_step(3) == [(0, 0, 0.65), (1, 30, 0.66)]
    assert curve.of_step(1)[0] == (1, 10, 0.5)


@pytest.mark.parametrize("number", [4, 5, 6])
def test_figures_are_drawn(number, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    runs = [
        make_run(tmp_path / str(i), fraction=0.1 * (i + 1), records=100 * (i + 1))
        for i in range(1 if number == 4 else 3)
    ]
    assert figures.main([f"--train_dir={','.join(runs)}", f"--figure={number}"]) == 0
    written = tmp_path / "0" / f"figure_{number}.png"
    assert written.read_bytes()[:4] == b"\x89PNG"
    assert written.stat().st_size > 5000
    assert str(written) in capsys.readouterr().out


def test_figures_show_what_was_logged(tmp_path):
    pytest.importorskip("matplotlib")
    curve = read_curve(make_run(tmp_path))
    above, below = figures.figure_4(curve).axes
    assert list(above.lines[0].get_ydata()) == pytest.approx([50, 61, 56, 65, 65, 66])
    assert list(below.lines[0].get_ydata()) == pytest.approx([25, 30.5, 28, 32.5, 32.5, 33])
    assert len(above.lines) == 4
    assert [t.get_text() for t in above.texts] == [
        "1: joint",
        "2: large MoE",
        "3: aggregator",
    ]
    left, right = figures.figure_5([curve]).axes
    assert list(right.lines[0].get_xdata()) == [0, 0.5]
    assert left.get_legend().get_texts()[0].get_text() == "100 %"
    (axes,) = figures.figure_6([curve]).axes
    assert axes.lines[0].get_xdata()[-1] == pytest.approx(63 / 60)
    assert axes.get_legend().get_texts()[0].get_text() == "100"


def test_what_cannot_be_drawn_is_refused(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    joint = make_run(tmp_path / "joint", alternation=False)
    with pytest.raises(UserError, match="not trained with --trainer=alternating"):
        read_curve(joint)
    one = make_run(tmp_path / "one")
    assert figures.main([f"--train_dir={one},{one}"]) == 2
    assert "Fig. 4 shows one run" in capsys.readouterr().err
    assert figures.main([f"--train_dir={one}", "--output=x.gif"]) == 2


def test_labels_of_narrow_steps_do_not_overlap(tmp_path):
    pytest.importorskip("matplotlib")
    figure = figures.figure_4(read_curve(make_run(tmp_path, iterations=30)))
    figure.savefig(tmp_path / "figure.png")  # places everything
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])
        assert box.y1 <= figure.bbox.y1
