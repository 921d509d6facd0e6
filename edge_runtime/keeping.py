"""What people may do to what is kept, while the daemon runs: delete, review, name a wearer."""

from collections.abc import Callable
from dataclasses import dataclass

from edge_runtime.audit import Audit
from edge_runtime.errands import Errands
from edge_runtime.store.reviews import Review
from edge_runtime.wearers import Wearers


@dataclass(frozen=True, slots=True)
class Keeping:
    """`begin_anew` ends a source's session and begins another: source, reason."""

    errands: Errands
    audit: Audit
    wearers: Wearers
    begin_anew: Callable[[str, str], None]

    async def delete(self, session: str, by: str) -> None:
        """Take a session out of the store, signal, strips, events, reviews and all. Raises
        StoreError where there is none, or it still runs."""
        await self.errands.ask(lambda store: store.mark_for_removal(session))
        while await self.errands.ask(lambda store: store.remove_some()):
            pass  # a part at a time: what is being recorded goes on between two
        self.audit.record(by, "delete", session=session)

    async def review(self, review: Review) -> None:
        """Keep an opinion. Raises StoreError where the store has no such alarm or beat."""
        await self.errands.ask(lambda store: store.review(review))
        self.audit.record(
            review.by, "review", session=review.session, **{review.subject.value: review.target}
        )

    def change_wearer(self, source: str, pseudonym: str, by: str) -> bool:
        """Another person wears it now: another session. False: it was so already. Raises
        ConfigError for what is no pseudonym."""
        if not self.wearers.change(source, pseudonym):
            return False
        self.audit.record(by, "wearer", source=source)
        self.begin_anew(source, "another wearer")
        return True
