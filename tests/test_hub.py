"""Addresses of models on the Hugging Face Hub, answered by a local server."""

import json
import os
import sys

import pytest
from huggingface_hub import constants

from tests.support.hub_server import serving
from yt8m import hub
from yt8m.errors import UserError

CONFIG = json.dumps({"schema": {}, "model": {}, "recipe": {}})


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Return a running server with the model o/n, for this process and an empty cache."""
    folder = tmp_path / "n"
    folder.mkdir()
    (folder / "config.json").write_text(CONFIG)
    (folder / "model.weights.h5").write_bytes(b"weights")
    (folder / "pytorch_model.bin").write_bytes(b"not ours")
    with serving() as running:
        running.folders["o/n"] = folder
        template = running.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", running.endpoint)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.delenv("HF_TOKEN", raising=False)
        hub._downloaded.cache_clear()
        yield running


def refused(address):
    """Return the message with which an address is refused."""
    with pytest.raises(UserError) as error:
        hub.local(address)
    return str(error.value)


def test_other_paths_stay_as_they_are():
    assert [hub.local(path) for path in ("runs/moe", "gs://b/moe")] == ["runs/moe", "gs://b/moe"]


def test_the_files_of_a_model_are_downloaded_once(server):
    folder = hub.local("hf://o/n")
    assert sorted(os.listdir(folder)) == ["config.json", "model.weights.h5"]
    asked = len(server.asked)
    assert hub.local("hf://o/n") == folder
    assert len(server.asked) == asked


def test_the_cache_serves_while_the_hub_cannot(server):
    folder = hub.local("hf://o/n")
    server.failing = True
    hub._downloaded.cache_clear()
    assert hub.local("hf://o/n") == folder
    assert "cannot be reached" in refused("hf://o/other")


def test_a_revision_is_a_branch_or_a_commit(server):
    commit = server.commit("o/n")
    assert hub.local(f"hf://o/n@{commit}") == hub.local("hf://o/n@main") == hub.local("hf://o/n")
    assert "no revision 'v9'" in refused("hf://o/n@v9")
    before = hub.local("hf://o/n")
    (server.folders["o/n"] / "model.weights.h5").write_bytes(b"better weights")
    hub._downloaded.cache_clear()
    assert hub.local("hf://o/n") != before == hub.local(f"hf://o/n@{commit}")


def test_what_cannot_be_had_is_named(server):
    server.folders["o/private"] = server.folders["o/gated"] = server.folders["o/n"]
    server.private.add("o/private")
    server.gated.add("o/gated")
    assert "no such model, or it is private" in refused("hf://o/unknown")
    assert "no such model, or it is private" in refused("hf://o/private")
    assert "hf auth login" in refused("hf://o/gated")


def test_a_private_model_is_read_with_its_token(server, monkeypatch):
    server.folders["o/private"] = server.folders["o/n"]
    server.private.add("o/private")
    monkeypatch.setenv("HF_TOKEN", "secret")
    assert "model.weights.h5" in os.listdir(hub.local("hf://o/private"))


@pytest.mark.parametrize("address", ["hf://", "hf://name", "hf://a/b/c", "hf://o/n@", "hf://o/a b"])
def test_an_address_that_is_none_is_refused(address):
    assert "hf://OWNER/NAME" in refused(address)


@pytest.mark.parametrize("config", [None, "[]", "{", '{"architectures": ["BertModel"]}'])
def test_a_model_of_another_program_is_refused_before_its_weights_come(server, config):
    path = server.folders["o/n"] / "config.json"
    path.unlink() if config is None else path.write_text(config)
    assert "is not a model of yt8m" in refused("hf://o/n")
    assert not any("weights" in request for request in server.asked)


def test_without_the_library_the_extra_is_named(monkeypatch):
    hub._downloaded.cache_clear()
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert "pip install 'yt8m[hub]'" in refused("hf://o/n")


def test_nothing_is_written_to_the_hub():
    hub.refuse_to_write("runs/moe", "--train_dir")
    with pytest.raises(UserError, match="only read"):
        hub.refuse_to_write("hf://o/n", "--train_dir")
