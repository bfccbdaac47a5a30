"""A local mirror, and the command that downloads from it."""

import pytest

from tests.support.commands import run_command
from tests.support.mirror import Mirror


@pytest.fixture
def mirror():
    made = Mirror()
    yield made
    made.close()


@pytest.fixture
def get(mirror, tmp_path):
    """Return a function that downloads all files into `tmp_path/data`; arguments are more flags."""

    def run(*arguments):
        return run_command(
            "download",
            f"--base_url={mirror.url}",
            f"--out_dir={tmp_path / 'data'}",
            "--share=1",
            "--retry_seconds=0.01",
            "--timeout_seconds=5",
            *arguments,
        )

    return run
