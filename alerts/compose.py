"""An occasion becomes the bytes of an e-mail with text, HTML and chart. After ``stages``, before ``outbox``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy

from alerts.drafting import draft
from alerts.incidents import incident_name
from alerts.letter import Letter
from alerts.links import mail_host
from alerts.message import Occasion
from alerts.plain import clean
from alerts.rendering import charts_of, html_part, text_part
from alerts.wording import Wording
from pipeline.configuration import Configuration, Receiver
from pipeline.i18n import Speech


class _Unbroken(UnstructuredHeader, BaseHeader):
    """Ids one to a line: the usual folding would encode those too long for 78 characters, and threads would break."""

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: " + f"{policy.linesep} ".join(str(self).split()) + policy.linesep


def _headers() -> HeaderRegistry:
    registry = HeaderRegistry()
    for name in ("in-reply-to", "references", "list-id"):
        registry.map_to_type(name, _Unbroken)
    return registry


NO_HOST = "sturmwarte.invalid"
"""In the place of a host where pages have no name of their own."""
_POLICY = SMTP.clone(cte_type="7bit", header_factory=_headers())


def compose(
    occasion: Occasion,
    receiver_id: str,
    configuration: Configuration,
    *,
    message_id: str,
    references: Sequence[str] = (),
    now: datetime,
) -> bytes:
    """The frozen message to one receiver, in that receiver's language. The same arguments give the same bytes."""
    receiver = configuration.receivers[receiver_id]
    speech = Speech(receiver.language, configuration.timezone)
    letter = draft(occasion, Wording(configuration, speech, occasion.at))
    mail = EmailMessage(policy=_POLICY)
    _address(mail, letter, receiver, configuration)
    _thread(mail, message_id, references, now)
    _for_machines(mail, occasion, configuration)
    _fill(mail, letter, speech, mark=hashlib.sha256(message_id.encode()).hexdigest()[:24])
    mail["Content-Language"] = receiver.language
    return mail.as_bytes()


def _address(mail: EmailMessage, letter: Letter, receiver: Receiver, configuration: Configuration) -> None:
    mail["Subject"] = letter.subject
    mail["From"] = _mailbox("Sturmwarte", sender(configuration))
    mail["To"] = _mailbox(clean(receiver.name, 60), receiver.address)


def _mailbox(name: str, address: str) -> Address | str:
    """Name and address; an address that is none is left out here and refused when it comes to sending."""
    try:
        return Address(display_name=name, addr_spec=address.strip())
    except (ValueError, IndexError):
        return "undisclosed-recipients:;"


def sender(configuration: Configuration) -> str:
    """The address mails come from: the one set, else the contact if it is an address, else one at the own host."""
    for address in (configuration.mail.sender, configuration.contact):
        if "@" in address and "/" not in address:
            return address.removeprefix("mailto:")
    return f"sturmwarte@{mail_host(configuration.public_url) or NO_HOST}"


def _thread(mail: EmailMessage, message_id: str, references: Sequence[str], now: datetime) -> None:
    """One thread per subject: everything refers to its first message, and answers the receiver's own first."""
    mail["Date"] = now
    mail["Message-ID"] = message_id
    if earlier := [reference for reference in references if reference != message_id]:
        mail["In-Reply-To"] = earlier[-1]
        mail["References"] = " ".join(earlier)


def _for_machines(mail: EmailMessage, occasion: Occasion, configuration: Configuration) -> None:
    mail["List-Id"] = f"Sturmwarte <sturmwarte.{mail_host(configuration.public_url) or NO_HOST}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["X-Sturmwarte-Kind"] = str(occasion.kind)
    if occasion.incident is not None:
        mail["X-Sturmwarte-Incident"] = incident_name(occasion.incident)
    rule = occasion.rule or (occasion.facts.rule if occasion.facts else None)
    version = occasion.rule_version or (occasion.facts.rule_version if occasion.facts else None)
    if rule:
        mail["X-Sturmwarte-Rule"] = clean(rule, 60) + (f"; version={version}" if version else "")
    if occasion.level is not None:
        mail["X-Sturmwarte-Level"] = str(occasion.level)


def _fill(mail: EmailMessage, letter: Letter, speech: Speech, *, mark: str) -> None:
    """Text, and beside it HTML with its pictures; boundaries and ids derive from ``mark``, so nothing is random."""
    mail.set_content(text_part(letter, speech), cte="quoted-printable")
    pictures = charts_of(letter, speech)
    ids = {name: f"{name}.{mark}@sturmwarte" for name in pictures}
    mail.add_alternative(html_part(letter, speech, ids), subtype="html", cte="quoted-printable")
    mail.set_boundary(f"=_alternative_{mark}")
    if pictures:
        _attach(mail, pictures, ids, mark)


def _attach(mail: EmailMessage, pictures: dict[str, bytes], ids: dict[str, str], mark: str) -> None:
    html = mail.get_body(("html",))
    assert isinstance(html, EmailMessage)
    for name, picture in pictures.items():
        html.add_related(picture, "image", "png", cid=f"<{ids[name]}>", disposition="inline", filename=f"{name}.png")
    html.set_boundary(f"=_related_{mark}")
