"""The sample that is made where no records are named."""

from types import SimpleNamespace

import pytest

from yt8m.errors import UserError
from yt8m.training.synthetic_sample import use_synthetic_sample


def test_a_place_that_cannot_be_written_names_the_flag_that_train_has(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        UserError, match=r"without --train_data_pattern a .* cannot be written"
    ) as e:
        use_synthetic_sample(SimpleNamespace(), "video", f"{tmp_path}/file/sample")
    assert "--out_dir" not in str(e.value)
