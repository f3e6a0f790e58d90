"""The watcher: rules → alerts → incidents → messages. One tick looks at every brand and writes each in one transaction.

Read (watermarks first, counts second), evaluate, decide; then, in one transaction and only where the books are still as
read: how far sources are fed, blobs, alerts, evaluation, incident, members, history, messages. A process killed at any
moment leaves all of it or nothing; a second watcher beside this one finds the books changed and writes nothing.
A brand at which nothing happened rests for a while, see ``alerts.resting``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import sqlalchemy as sa

from alerts import blind, books, stages
from alerts.beginning import began
from alerts.books import Books
from alerts.decision import Input, decide
from alerts.entering import enter, first_message
from alerts.evidence import LOOKED, MANY, RECENT, SPAN, gather, signs
from alerts.look import Look, evaluation, incident_after
from alerts.posting import post as post_message
from alerts.registry import in_force
from alerts.resting import Rest, slack_of
from alerts.rule import Alert, Evidence, Rule
from alerts.situation import Picture, Places, build, is_silenced, learning_rule, read_places
from alerts.topic import topic_of
from alerts.turns import Alone, Turns
from alerts.windforce import force
from pipeline.clock import Clock
from pipeline.configuration import Configuration
from pipeline.i18n import Speech
from pipeline.mention import Mention
from pipeline.state.database import State
from pipeline.state.restored import restored_at
from pipeline.store.protocol import Store, StoreError, Window
from pipeline.words import ToneLabel

EVERY = timedelta(minutes=5)
"""An incident is looked at again after so long even when nothing new has been fed."""
PERSON_LIMIT = 10_000
LAG = timedelta(minutes=10)
"""Of the clock, and of the wall clock where that is more: what was written before so long is asked for once more."""
AGE = timedelta(seconds=10)
"""Sources are read, and what they have brought is made visible, for all brands that are looked at within so long."""


def no_fault(step: str) -> None:
    """Where tests stop the watcher: read, evaluated, before_commit, after_commit."""


class TickReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one tick did."""

    brands: int = 0
    """Looked at; the others rest, or belong to another watcher."""
    alerts: int = 0
    opened: int = 0
    resolved: int = 0
    messages: int = 0
    overtaken: int = 0
    """Brands that another watcher was faster with."""

    def plus(self, **parts: int) -> TickReport:
        return msgspec.structs.replace(self, **{name: getattr(self, name) + more for name, more in parts.items()})


class Watcher:
    """See the module. ``post`` composes one message and puts it into the outbox."""

    def __init__(
        self,
        configuration: Configuration,
        store: Store,
        state: State,
        clock: Clock,
        folder: Path | None = None,
        *,
        post: stages.Post = post_message,
        fault: Callable[[str], None] = no_fault,
        turns: Turns = Alone(),
        rest: Rest | None = None,
    ) -> None:
        self._configuration, self._store, self._state, self._clock = configuration, store, state, clock
        self._folder, self._post, self._fault, self._turns = folder, post, fault, turns
        self._rest = rest or Rest()
        self._places: tuple[datetime, Places] | None = None

    def tick(self) -> TickReport:
        """Look at everything that is ours once. Where a brand fails the others are looked at first; then it is raised.

        StoreError: the store cannot answer. Nothing is ever half written.
        """
        now, self._places = self._clock.now(), None
        report = TickReport(messages=blind.look(self._configuration, self._state, now, self._post))
        failed: list[Exception] = []
        for brand in self._awake(now, failed):
            try:
                if self._turns.keep(brand):
                    report = self._brand(brand, now, report.plus(brands=1))
            except Exception as error:
                failed.append(error)
        report = report.plus(messages=self._release(now))
        if failed:
            raise next((error for error in failed if not isinstance(error, StoreError)), failed[0])
        return report

    def _awake(self, now: datetime, failed: list[Exception]) -> Sequence[str]:
        """Our brands that may not rest; none where the store cannot tell, which is added to what failed."""
        brands = self._turns.take(list(self._configuration.brands))
        try:
            read = frozenset(view.id for view in self._seen().views if view.watermark)
            news = self._store.written_since(self._rest.since(now) - self._overlap(), limit=MANY)
        except StoreError as error:
            failed.append(error)
            return ()
        except Exception as error:  # one mention that cannot be read must not keep all brands from being watched
            failed.append(error)
            return brands
        with self._state.read() as conn:
            busy = books.busy(conn)
        everybody = len(news) == MANY  # there may be more
        return self._rest.awake(brands, news, brands if everybody else busy, (self._configuration, read), now)

    def _overlap(self) -> timedelta:
        """So late may a mention be seen after it was written: clocks differ, and a write may stand still."""
        return max(LAG, timedelta(seconds=LAG.total_seconds() / self._clock.real(1)))

    def _release(self, now: datetime) -> int:
        with self._state.begin() as conn:
            return stages.release(self._context(conn, now), self._post)

    def _context(self, conn: sa.Connection, now: datetime) -> stages.Context:
        return stages.Context(conn=conn, configuration=self._configuration, now=now)

    # --- one brand --------------------------------------------------------------------------------------------

    def _brand(self, brand: str, now: datetime, report: TickReport) -> TickReport:
        rules = in_force(self._configuration, brand)
        places = self._seen()
        with self._state.read() as conn:
            found = books.read(conn, brand, rules)
        self._fault("read")
        evaluated = self._evaluate(brand, now, rules, found, places)
        look = self._judge(evaluated)
        self._fault("evaluated")
        if look.fed or look.alerts or look.decision or found.owed:
            report = self._write(look, report)
        if look.slack and not (evaluated.concerns or found.owed):
            self._rest.lay(brand, look.slack, now, light=any(rule.needs.query for rule in rules.values()))
        else:
            self._rest.rouse(brand)
        return report

    def _seen(self) -> Places:
        """The sources as they stood a moment ago; what their watermarks promise is found by the counts."""
        began = self._clock.now()
        if self._places is None or began - self._places[0] >= AGE:
            with self._state.read() as conn:
                places = read_places(conn)
            self._store.refresh()  # after the watermarks were read
            self._places = began, places
        return self._places[1]

    def _evaluate(self, brand: str, now: datetime, rules: Mapping[str, Rule], found: Books, places: Places) -> Look:
        """Every rule on its evidence."""
        blobs: dict[str, bytes] = {}
        alerts: list[tuple[str, Alert]] = []
        evidence: dict[str, Evidence] = {}
        for name, rule in rules.items():
            known, until = found.blobs.get(name), found.fed[name]
            shown = gather(self._store, brand, rule.needs, places.views, until, now, self._configuration.zone)
            blob, raised = rule.evaluate(known, shown, now)
            if blob is not None and blob != known:
                blobs[name] = blob
            evidence[name] = shown
            alerts += [(name, alert) for alert in self._new(name, brand, raised)]
        learning = learning_rule(rules)
        learned = found.blobs.get(learning[0]) if learning else None
        return Look(
            brand=brand,
            now=now,
            rules=rules,
            books=found,
            places=places,
            fed={name: shown.final_until for name, shown in evidence.items() if shown.final_until},
            blobs=blobs,
            slack=slack_of(rules, {**found.blobs, **blobs}, evidence),
            alerts=[pair for pair in alerts if not _over(pair[1], found.closed)],
            usual=learning[1].usual(learned, self._configuration.zone) if learning and learned else None,
        )

    def _new(self, rule: str, brand: str, raised: Sequence[Alert]) -> list[Alert]:
        """Tripwires trip once; a counting alert may repeat its key while its bin is the newest."""
        keys = [alert.key for alert in raised if alert.uids]
        if not keys:
            return list(raised)
        with self._state.read() as conn:
            known = books.known_alerts(conn, rule, brand, keys)
        return [alert for alert in raised if alert.key not in known]

    def _judge(self, look: Look) -> Look:
        """Level and decision, where the brand concerns anybody."""
        memory, incident = look.books.remembered, look.books.incident
        counted = any(set(fed) - {LOOKED} for fed in look.fed.values())
        waited = memory.evaluated is None or look.now - memory.evaluated >= EVERY
        if not look.concerns or not (counted or waited or look.tripwires):
            return msgspec.structs.replace(look, alerts=())
        start, end = look.window
        surge = look.surge[1] if look.surge else None
        seen = signs(
            self._store,
            look.brand,
            look.places.views,
            look.usual,
            start,
            end,
            min_n=self._configuration.counting.min_n,
            return_period_days=surge.return_period_days if surge else None,
            loud=surge is not None and surge.return_period_days is None,
            lasting=look.now - incident.started if incident else timedelta(0),
        )
        earned = force(seen)
        with self._state.read() as conn:
            restored = restored_at(conn)
        decision = decide(
            Input(
                incident=incident,
                memory=memory,
                surge=surge,
                tripwires=look.tripwires,
                signs=seen,
                force=earned,
                now=look.now,
                blind=look.blind,
                end=end,
                restored=restored,
            )
        )
        if decision.level is not None and not decision.resolve:
            counted_over = msgspec.structs.replace(decision.memory, span=end - start, last_end=end)
            decision = msgspec.structs.replace(decision, memory=counted_over)
        return self._described(msgspec.structs.replace(look, signs=seen, force=earned, decision=decision))

    def _described(self, look: Look) -> Look:
        """With the mentions that belong to it and, where something is told, the facts."""
        decision = look.decision
        if decision is None or decision.level is None:
            return look
        start, end = look.window
        window = Window(brand=look.brand, start=start, end=end, tone=ToneLabel.NEGATIVE)
        members = list(self._store.in_window(window, limit=PERSON_LIMIT)) if look.surged else []
        tripped = [uid for alert in look.tripwires for uid in alert.uids]
        known = {mention.uid for mention in members}
        members += [mention for uid, mention in sorted(self._store.get(tripped).items()) if uid not in known]
        look = msgspec.structs.replace(look, members=members, began=self._began(look), topic=self._topic(look, members))
        if decision.kind is None:
            return look
        return msgspec.structs.replace(
            look, facts=build(self._configuration, self._store, self._future(look), look.now)
        )

    def _topic(self, look: Look, members: Sequence[Mention]) -> str:
        """Of a surge whose topic is not known yet; asked for when something is told, or an incident opens."""
        incident = look.books.incident
        told = incident is None or (not incident.topic and look.decision is not None and look.decision.kind is not None)
        return topic_of(self._store, look.brand, members, *look.window) if look.surged and told else ""

    def _began(self, look: Look) -> datetime | None:
        """Of a surge that opens an incident: when the unusual criticism set in."""
        if look.books.incident is not None or look.surge is None:
            return None
        alert = look.surge[1]
        window = Window(
            brand=look.brand, start=alert.window_end - RECENT, end=alert.window_end, tone=ToneLabel.NEGATIVE
        )
        voices = [mention.fed_bin for mention in self._store.in_window(window, limit=PERSON_LIMIT)]
        return began(voices, look.usual, look.places.views, alert.window_start, alert.window_end)

    def _future(self, look: Look) -> Picture:
        """The picture as it will be once this look is written."""
        learning = learning_rule(look.rules)
        with self._state.read() as conn:
            silenced = is_silenced(conn, look.brand, look.books.incident, look.now)
        return Picture(
            brand=look.brand,
            views=look.places.views,
            health=look.places.health,
            incident=incident_after(look),
            evaluation=evaluation(look),
            usual_blob={**look.books.blobs, **look.blobs}.get(learning[0]) if learning else None,
            silenced=silenced,
        )

    def _write(self, look: Look, report: TickReport) -> TickReport:
        speech = Speech(self._configuration.language, self._configuration.timezone)
        with self._state.begin() as conn:
            mine = self._turns.holds(conn, look.brand)
            if not mine or books.read(conn, look.brand, look.rules, lock=True) != look.books:
                return report.plus(overtaken=1)
            number, occasions = enter(conn, look, speech)
            sent = stages.run(self._context(conn, look.now), occasions, self._post) if occasions else 0
            if number is not None:
                first_message(conn, number)
            self._fault("before_commit")
        self._fault("after_commit")
        opened = number is not None and look.books.incident is None
        resolved = look.decision is not None and look.decision.resolve
        return report.plus(alerts=len(look.alerts), opened=int(opened), resolved=int(resolved), messages=sent)


def _over(alert: Alert, closed: datetime | None) -> bool:
    """Whether a person has resolved what this alert still counts; words that trip a wire are always new."""
    return closed is not None and not alert.uids and alert.window_end - SPAN < closed
