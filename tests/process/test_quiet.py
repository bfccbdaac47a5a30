"""The quiet import leaves the interpreter as it was, also when it fails."""

import gc
import importlib
import os
import subprocess
import sys

import pytest

from yt8m.compat import KERAS_VERSION
from yt8m.process import quiet


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


@pytest.mark.parametrize("value", ["-3", "abc", "1e3", "99999"])
def test_a_number_of_threads_that_would_abort_the_process_is_named(value):
    environment = {**os.environ, "TF_NUM_INTRAOP_THREADS": value}
    command = [sys.executable, "-c", "import yt8m.process.quiet"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 2
    assert f"TF_NUM_INTRAOP_THREADS={value!r}: expected a whole number" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(KERAS_VERSION[0] != "2", reason="newer TensorFlow does without docstrings")
def test_python_without_docstrings_is_named():
    command = [sys.executable, "-OO", "-c", "import yt8m.process.quiet"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "unset PYTHONOPTIMIZE" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_name_that_the_locale_does_not_have_is_one_line():
    code = "import os; from yt8m.process import guard; guard.run_main(os.path.realpath)"
    code = code.replace("os.path.realpath", "lambda a: os.path.realpath(a[0])")
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"}
    command = [sys.executable, "-c", code, "/é.csv"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 2
    assert "set PYTHONUTF8=1" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_variable_for_which_tensorflow_ends_the_process_is_named():
    environment = {**os.environ, "TF_XLA_FLAGS": "--nonsense"}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    command = [sys.executable, "-c", "import yt8m.process.quiet"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode != 0
    assert "TF_XLA_FLAGS: --nonsense" in done.stderr


@pytest.mark.skipif(KERAS_VERSION[0] == "2", reason="Keras 2 has one backend")
def test_another_backend_of_keras_is_named():
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    command = [sys.executable, "-c", "import yt8m.process.quiet"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 2
    assert "KERAS_BACKEND=jax" in done.stderr
    assert "Traceback" not in done.stderr
