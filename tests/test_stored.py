"""The content of a file of this program, and the permission to read it, fail in different words."""

import pytest

from yt8m.stored import Damaged, intact


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "Permission denied"), "a.h5 cannot be read .*change its permissions"),
        (ValueError("cut off"), r"a.h5 is damaged or cannot be read \(cut off\); get it again"),
    ],
)
def test_the_reason_is_told(error, message):
    with pytest.raises(Damaged, match=message), intact("a.h5", "get it again."):
        raise error
