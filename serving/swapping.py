"""Puts another model in the place of the served one, in two steps, so that several workers can do it together."""

from __future__ import annotations

import asyncio

from serving.classifier import Classifier
from serving.engine import Engine
from serving.errors import LoadConflict, ModelFolderError
from serving.loads import Load, Loaded
from serving.settings import ServerSettings


class Swap:
    """The model of this process. One load at a time."""

    def __init__(self, classifier: Classifier, settings: ServerSettings) -> None:
        self._classifier = classifier
        self._settings = settings
        self._busy = False
        self._prepared: Engine | None = None

    async def load(self, load: Load) -> Loaded:
        """Both steps at once, where there is no other process.

        Raises:
            ModelFolderError, ProviderError, LoadConflict: the former model goes on.
        """
        if self._busy:
            raise LoadConflict("another model is being loaded; try again when that is done")
        self._busy = True
        try:
            engine = await self.prepare(load)
            former = self._classifier.engine
            await self.commit()
        finally:
            self._busy = False
            self.abandon()
        return Loaded(name=engine.name, version=engine.version, former_version=former.version)

    async def prepare(self, load: Load) -> Engine:
        """Verify and open the folder beside the served model and warm it up; nothing changes for requests yet.

        Raises:
            ModelFolderError, ProviderError: see `Engine.load`.
            LoadConflict: it is another model than the served one, or has other labels and may not.
        """
        served = self._classifier.engine
        engine = await asyncio.to_thread(
            Engine.load, load.folder, provider=self._settings.provider, threads=self._settings.threads
        )
        if engine.name != served.name:
            raise LoadConflict(
                f"{load.folder} holds the model {engine.name!r}, and requests ask for {served.name!r}; "
                "serve it on a server of its own"
            )
        if engine.labels != served.labels and not load.allow_other_labels:
            raise LoadConflict(
                f"{load.folder} has other labels than the served model, in other words or in another order; "
                'give the parameter "allow_other_labels": true if its clients expect that'
            )
        await asyncio.to_thread(engine.warm_up, self._settings.max_batch_rows)
        self._prepared = engine
        return engine

    async def commit(self) -> None:
        """Let the prepared model answer from now on; returns once the former one has answered its last request."""
        if self._prepared is None:
            raise ModelFolderError("no model is prepared")
        engine, self._prepared = self._prepared, None
        await self._classifier.swap(engine)

    def abandon(self) -> None:
        """Forget the prepared model."""
        self._prepared = None
