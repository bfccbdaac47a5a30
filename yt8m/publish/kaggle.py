"""The two files from which Kaggle's command creates a model and its variation.

Their names and fields are those of `kaggle models init` and `kaggle models instances init`. Kaggle
refuses them while a field holds one of its placeholders, which stand where no name is given.
"""

from __future__ import annotations

import re
from typing import Any

from yt8m.publish.card import card_text
from yt8m.publish.described import Described

MODEL, INSTANCE = "model-metadata.json", "model-instance-metadata.json"


def model_metadata(model: Described) -> dict[str, Any]:
    """Return the contents of model-metadata.json, whose description is the card."""
    owner, slug = _slugs(model, "INSERT_SLUG_HERE")
    return {
        "ownerSlug": owner,
        "title": model.title,
        "slug": slug,
        "subtitle": model.about,
        "isPrivate": True,
        "description": card_text(model),
        "publishTime": "",
        "provenanceSources": model.data.url,
    }


def instance_metadata(model: Described) -> dict[str, Any]:
    """Return the contents of model-instance-metadata.json."""
    owner, slug = _slugs(model, "INSERT_EXISTING_MODEL_SLUG_HERE")
    return {
        "ownerSlug": owner,
        "modelSlug": slug,
        "instanceSlug": _slug(model.config.model.name),
        "framework": "tensorFlow2",
        "overview": model.about,
        # Kaggle puts the folder of the version in the place of ${PATH}.
        "usage": '# Model Usage\n\n```python\nimport yt8m\n\nrun = yt8m.load_run("${PATH}")\n```\n',
        "licenseName": model.license.kaggle,
        "fineTunable": True,
        "trainingData": [model.data.url] if model.data.url else [],
        "modelInstanceType": "Unspecified",
        "baseModelInstance": "",
        "externalBaseModelUrl": "",
    }


def _slugs(model: Described, unknown: str) -> tuple[str, str]:
    """Return Kaggle's forms of the owner and the name, or its placeholders."""
    owner, _, name = model.name.partition("/")
    if owner == "OWNER":
        return "INSERT_OWNER_SLUG_HERE", unknown
    return _slug(owner), _slug(name)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
