"""The files of rows: complete, consistent, and refused with a reason where they are not."""

import hashlib
import json
import os

import pytest

from tests.papers.helpers import make_row
from yt8m.errors import UserError
from yt8m.fusion.weights import METHODS
from yt8m.papers import commands, paper_tables, row_files
from yt8m.papers.is_current import commands_now
from yt8m.papers.small_data import NAMES

ROWS = row_files.load_all()


@pytest.mark.parametrize("which", ["small", "paper", "code"])
def test_every_row_is_complete(which):
    for row in ROWS.values():
        assert row.row, row.name
        assert row.source, row.name
        assert row.notes or row.table in paper_tables.ABOUT, row.name
        assert row.small.minutes > 0, row.name
        assert set(row.small.data) <= set(NAMES), row.name
        assert all(0 < v < 1 for v in row.reported.values()), f"{row.name}: fractions, not percent"
        variant = row.variant(which)
        for name in commands.needed(row, which):
            assert which != "small" or variant.data == ROWS[name].small.data, row.name
        if variant.fuse:
            assert variant.fuse.method in METHODS
            assert len(variant.fuse.inputs) > 1
            for text in variant.fuse.inputs:
                name, _, data = text.partition("@")
                model = ROWS[name].variant(which)
                assert which != "small" or (data or variant.data[0]) in model.data


def test_the_papers_commands_do_not_change():
    """The committed results test those of the small variants."""
    found = [commands_now(ROWS, n, "paper", commands.PAPER_DATA, 0) for n in sorted(ROWS)]
    digest = hashlib.sha1(json.dumps(found).encode()).hexdigest()
    assert digest == "6f83732cd71d21f4b120c40c65c8095cfb6c5625"


def test_the_codes_settings_are_the_papers_but_for_what_the_code_does():
    def flags(row, variant):
        return set(row.variant(variant).stages[-1].flags)

    hgru, gru, vlad = (ROWS[name] for name in ("hgru-20", "gru-fc", "attn-vlad"))
    assert flags(hgru, "code") - flags(hgru, "paper") == {"--schedule=constant"}
    assert "--schedule=exponential_continuous" in flags(hgru, "paper"), "as the text has it"
    changed = {"--learning_rate_decay=0.95", "--batch_size=480"}
    assert flags(gru, "code") - flags(gru, "paper") == changed, "taken over from the row it is like"
    centres = "--model_option=num_centers="
    assert centres + "10" in flags(vlad, "paper")
    assert centres + "20" in flags(vlad, "code")
    assert ROWS["bigru"].code is None, "no code of it is published"
    assert ROWS["bigru"].variant("code") == ROWS["bigru"].paper, "for a fusion of the code's models"


def test_recurrent_rows_share_their_batch_size_and_rate():
    """The text states one rate for recurrent models; a table compares nothing else."""
    shared = {"--batch_size=512", "--base_learning_rate=0.0005", "--learning_rate_decay=0.9"}
    in_tables = (row for row in ROWS.values() if row.table in ("2", "3"))
    rows = [row for row in in_tables if row.name != "means-moe"]  # a control, which reads no frames
    assert len(rows) > 10
    for row in rows:
        assert shared <= set(row.paper.stages[-1].flags), row.name


def test_the_papers_settings_start_no_head_from_label_frequencies():
    """That is our choice: neither paper does it."""
    for row in ROWS.values():
        for stage in row.paper.stages:
            has_head = "--model=ContextEncoderModel" not in stage.flags
            if stage.kind == "train" and has_head:
                assert "--model_option=initial=zeros" in stage.flags, row.name


def test_recurrent_rows_read_the_same_input_and_take_the_same_passes_on_a_data_set():
    """Otherwise a table would compare the input, as the size of its signal decides much."""
    rows = [r for r in ROWS.values() if r.table in ("2", "3") and r.small.level == "frame"]
    assert len(rows) > 10
    for data in ("sample-frames-all", "audioset", "synthetic-temporal"):
        settings = {}
        for row in rows:
            stage = row.small.stages[-1]
            flags = commands.merged([*stage.flags, *stage.flags_for[data]])
            settings[row.name] = {
                name: [f for f in flags if f.startswith(f"--{name}=")]
                for name in ("batch_size", "base_learning_rate", "num_epochs", "weight_average")
            }
            norm = [f for f in flags if "input_norm" in f]
            assert norm in ([], ["--model_option=input_norm=none"]), row.name
        assert all(found == settings["gru"] for found in settings.values()), data


def test_rows_of_a_table_have_places_of_their_own():
    for table in paper_tables.TABLES:
        places = [r.order for r in ROWS.values() if r.table == table]
        assert len(set(places)) == len(places), table


def test_mixture_rows_differ_only_in_the_number_of_mixtures():
    rows = [r for r in ROWS.values() if r.table == "1" and not r.small.fuse]
    flags = [r.small.stages[0].flags for r in rows]
    rest = {tuple(f for f in x if "mixtures" not in f and "--model" not in f) for x in flags}
    assert len(rest) == 1, rest


def test_a_run_may_be_in_two_tables():
    view = {"row": "there", "order": 0, "reported": {"map": 0.5}}
    also = {"4": view}
    row = row_files.parse({**_values(), "also": also}, "test")
    shown = paper_tables.rows_of("4", {**ROWS, row.name: row})[0]
    assert (shown.name, shown.row, shown.reported) == ("video-moe-2", "there", {"map": 0.5})
    assert paper_tables.rows_of("1", {row.name: row}) == [row]
    runs = [(shown, "sample-video-all", seed) for seed in (0, 1, 2)]
    assert paper_tables.runs_of([row, shown]) == runs, "it is run once"


def _values():
    with open(os.path.join(row_files.FOLDER, "video-moe-2.json")) as file:
        return json.load(file)


@pytest.mark.parametrize(
    ("change", "small", "message"),
    [
        ({"table": "9"}, {}, "table '9' is not one of"),
        ({"colour": "red"}, {}, "colour"),
        ({"source": None}, {"level": "segment"}, "small.level is 'segment'"),
        ({"reported": {"f1": 0.5}}, {}, "not metrics"),
        ({"also": {"4": {"row": "there"}}}, {}, "also"),
        ({}, {"stages": []}, "small needs either stages or fuse"),
        ({}, {"minutes": 0}, "minutes is missing"),
        ({}, {"seeds": []}, "no data or no seeds"),
        ({}, {"stages": [{"name": "a", "kind": "predict", "of": "b"}]}, "trains nothing"),
        ({}, {"stages": [{"name": "a", "flags": "--x=1 --nox"}]}, "gives --x=1 and then overrides"),
        ({"code": {"--gone": ""}}, {}, "'--gone' is to be replaced, .* in the paper's setting"),
        ({}, {"stages": [{"name": "a"}, {"name": "a"}]}, "two stages have the same name"),
        ({"name": "other"}, {}, "a file is named after its row"),
        ({"like": "video-moe-2"}, {}, "takes over its own fields"),
        ({"like": "gone"}, {}, "needs .*gone.json, which is missing"),
    ],
)
def test_a_faulty_file_is_refused(tmp_path, change, small, message):
    values = _values()
    values["small"].update(small)
    path = tmp_path / "video-moe-2.json"
    path.write_text(json.dumps({**values, **change}))
    with pytest.raises(UserError, match=message):
        row_files.load(str(path))


def test_a_file_that_is_no_json_is_refused(tmp_path):
    path = tmp_path / "row.json"
    path.write_text("{")
    with pytest.raises(UserError, match="not JSON"):
        row_files.load(str(path))


def test_a_row_may_be_like_another(tmp_path):
    def load(name, **values):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"name": name, **values}))
        return row_files.load(str(path))

    base = load("base", **{k: v for k, v in _values().items() if k != "name"})
    replace = {"Moe": "Logistic", "num_mixtures=2": "num_mixtures=4"}
    row = load("row", like="base", replace=replace, row="a", order=7, small={"minutes": 3})
    assert (row.row, row.order, row.table, row.source) == ("a", 7, base.table, base.source)
    assert (row.reported, row.also) == ({}, {}), "they are the row's own"
    assert (base.small.seeds, row.small.seeds) == ((0, 1, 2), (0,))
    assert (row.small.minutes, row.small.data) == (3, base.small.data)
    flags = base.paper.stages[0].flags
    changed = tuple(f.replace("Moe", "Logistic").replace("tures=2", "tures=4") for f in flags)
    assert row.paper.stages[0].flags == changed
    assert load("next", like="row", row="b", order=8).paper == row.paper
    message = r"'--gone' is to be replaced, but does not occur in .*row.json"
    with pytest.raises(UserError, match=message):
        load("next", like="row", row="b", order=8, replace={"--gone": ""})


def test_rows_and_tables_are_found_by_name():
    assert paper_tables.find("lstm", ROWS).row == "LSTM"
    with pytest.raises(UserError, match="Did you mean lstm"):
        paper_tables.find("lstmm", ROWS)
    assert paper_tables.rows_of("uts-1", ROWS) == paper_tables.rows_of("1", ROWS)
    with pytest.raises(UserError, match="not a table"):
        paper_tables.rows_of("7", ROWS)
    with pytest.raises(UserError, match="table 4 has no rows"):
        paper_tables.rows_of("4", {"a": make_row("a")})
