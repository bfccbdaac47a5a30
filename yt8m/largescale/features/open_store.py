"""What tasks need to open a feature store, each process once."""

from __future__ import annotations

import dataclasses

from yt8m.largescale.features.plan import PLAN
from yt8m.largescale.features.store import WINDOW_BYTES, FeatureStore
from yt8m.largescale.storage.cache import CACHE_BYTES
from yt8m.largescale.tasks.shared_folder import absolute, check_plan


@dataclasses.dataclass(frozen=True)
class StoredFeatures:
    """A feature store, for the arguments of which see `FeatureStore`."""

    folder: str
    window_bytes: int = WINDOW_BYTES
    cache_bytes: int = CACHE_BYTES

    @classmethod
    def of(cls, store: FeatureStore) -> StoredFeatures:
        """Return what opens a store in a process with another working directory too."""
        return cls(absolute(store.folder), store.window_bytes, store.cache_bytes)

    def check(self) -> None:
        """Raise an error if this process does not see the store's folder.

        Raises:
          UserError: says so.
        """
        check_plan(self.folder, PLAN)

    def open(self, shared_by: str = "") -> FeatureStore:
        """Return the store."""
        return FeatureStore(self.folder, self.window_bytes, self.cache_bytes, shared_by)
