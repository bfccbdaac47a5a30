"""The quiet import leaves the interpreter as it was, also when it fails."""

import gc
import importlib
import sys

import pytest

from yt8m import quiet


def test_what_is_hidden_can_be_imported_afterwards(tmp_path, monkeypatch):
    (tmp_path / "jax.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "jax", raising=False)

    def broken():
        with quiet._light_import():
            assert not gc.isenabled()
            with pytest.raises(ImportError):
                importlib.import_module("jax")
            raise RuntimeError("broken")

    try:
        with pytest.raises(RuntimeError, match="broken"):
            broken()
        assert gc.isenabled()
        assert importlib.import_module("jax").__file__ == str(tmp_path / "jax.py")
    finally:
        sys.modules.pop("jax", None)
        gc.unfreeze()


def test_what_is_imported_already_stays(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", sys)
    with quiet._light_import():
        assert sys.modules["jax"] is sys
    assert sys.modules["jax"] is sys
    gc.unfreeze()
