"""The pipeline put together: clean → match → language → tone → labels → story → store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.clock import Clock
from pipeline.configuration import Configuration
from pipeline.draft import Draft
from pipeline.press import Watchlist
from pipeline.query.tree import EVERYTHING
from pipeline.run import Pipeline
from pipeline.secrets import author_key
from pipeline.spool import Spool
from pipeline.state.database import State
from pipeline.state.threads import StateThreads
from pipeline.state.watermarks import Watermarks
from pipeline.steps.clean import CleanStep
from pipeline.steps.labels import LabelStep
from pipeline.steps.language import LanguageStep
from pipeline.steps.match import MatchStep, voice_of
from pipeline.steps.story import StoryStep
from pipeline.steps.tone import ToneStep
from pipeline.store.protocol import Store, StoreError
from pipeline.tone import ANALYSIS_VERSION
from pipeline.words import Channel, Voice


def build_pipeline(configuration: Configuration, store: Store, state: State, *, folder: Path, clock: Clock) -> Pipeline:
    """The pipeline of a data folder. Raises SecretMissing where there are mentions but no key of the pseudonyms."""
    key = author_key(folder, data_present=bool(store.search(EVERYTHING, limit=1).mentions))
    brands = configuration.brands

    def voices(draft: Draft, brand: str) -> Voice:
        item = draft.item
        source = configuration.sources.get(item.source)
        home = item.channel is Channel.OWN and source is not None and source.about == brand
        return voice_of(brands[brand], item, item.author, home=home)

    def read_by(uids: Sequence[str]) -> dict[str, str]:
        try:
            return {uid: mention.crawled.source for uid, mention in store.get(uids).items()}
        except StoreError:
            return {}  # the store is down: what names a brand waits in the spool, the rest is read again when edited

    spool = Spool(folder / "spool")
    watermarks = Watermarks(state, clock, lambda: spool.name)
    return Pipeline(
        (
            CleanStep(key, Watchlist(configuration.journalists)),
            MatchStep(brands, configuration.sources, StateThreads(state, clock), read_by),
            LanguageStep(configuration.languages),
            ToneStep(),
            LabelStep(),
            StoryStep(store),
        ),
        store,
        spool,
        voices=voices,
        version=ANALYSIS_VERSION,
        clock=clock,
        set_watermark=watermarks.move,
        hold=watermarks.hold,
        let_go=watermarks.let_go,
    )
