"""Items that a thread computes ahead: in order, with their errors, and no more than asked."""

import pytest

from yt8m.errors import UserError
from yt8m.largescale.tasks.prefetch import prefetched


def test_items_come_in_order():
    assert list(prefetched(range(10))) == list(range(10))


def test_an_error_comes_at_its_place():
    def broken():
        yield 1
        raise UserError("second")

    items = prefetched(broken())
    assert next(items) == 1
    with pytest.raises(UserError, match="second"):
        next(items)


def test_the_thread_ends_with_its_consumer():
    seen = []
    items = prefetched(seen.append(i) or i for i in range(100))
    next(items)
    items.close()
    assert len(seen) <= 4
