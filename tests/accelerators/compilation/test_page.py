import pytest

from yt8m.accelerators.compilation.chips import CHIPS, chip_of
from yt8m.accelerators.compilation.page import BEGIN, END, tables, with_tables
from yt8m.accelerators.compilation.roofline import bound, is_bound_by_compute, memory_bytes
from yt8m.errors import UserError

ROW = {
    "model": "MoeModel",
    "program": "train",
    "dtype": "bfloat16",
    "topology": "v5e:2x2",
    "batch_size": 512,
    "replicas": 1,
    "examples": 512,
    "num_frames": 0,
    "argument_bytes": 3_000_000_000,
    "output_bytes": 2_500_000_000,
    "alias_bytes": 2_000_000_000,
    "temporary_bytes": 1_500_000_000,
    "flops": 197e9,
    "bytes": 8.19e9,
    "product_flops": 196e9,
    "loops": [],
    "date": "2026-11-26",
    "versions": {"libtpu": "0.0.52"},
}
V5E = CHIPS["v5e"]


def test_the_bound_follows_from_the_slower_of_the_two():
    assert memory_bytes(ROW) == 5_000_000_000
    assert bound(ROW, V5E) == pytest.approx(512 / 0.01)  # 8.19 GB at 819 GB/s
    assert not is_bound_by_compute(ROW, V5E)
    busy = {**ROW, "flops": 197e11}  # 0.1 s at the peak
    assert bound(busy, V5E) == pytest.approx(512 / 0.1)
    assert is_bound_by_compute(busy, V5E)


def test_the_rounds_of_a_loop_count():
    looped = {**ROW, "product_flops": 197e11, "loops": [300]}
    assert bound(looped, V5E) == pytest.approx(512 / 0.1)
    assert "| 19,700 | 8.19 + |" in tables([looped])


def test_a_device_has_its_part_of_a_chip():
    assert bound(ROW, CHIPS["v3"]) == pytest.approx(512 * 450e9 / 8.19e9)


def test_a_row_says_its_share_of_the_memory():
    text = tables([ROW])
    line = next(line for line in text.splitlines() if line.startswith("| MoeModel"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells == (
        ["MoeModel", "train", "512", "3.00", "1.50", "31 %", "197", "8.19", "51,000 (memory)"]
    )
    assert "libtpu 0.0.52" in text
    assert "2026-11-26" in text


def test_what_was_not_compiled_is_listed():
    text = tables([{**ROW, "error": "the compiler was killed\nmore"}])
    assert "- MoeModel train, batch 512: the compiler was killed\n" in text
    assert "| MoeModel" not in text


def test_the_page_keeps_its_text():
    page = f"# Page\n\n{BEGIN}old\n{END}\nmore\n"
    written = with_tables(page, [ROW])
    assert written.startswith("# Page\n")
    assert written.endswith("\nmore\n")
    assert "old" not in written
    assert with_tables(written, [ROW]) == written
    with pytest.raises(UserError, match="no lines"):
        with_tables("# Page\n", [ROW])


def test_an_unknown_chip_is_refused():
    assert chip_of("v6e:2x2").peak == 918e12
    with pytest.raises(UserError, match=r"--topology=v9:2x2: expected one of v2:2x2"):
        chip_of("v9:2x2")
