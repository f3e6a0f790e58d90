"""The demonstration's mailbox: list, view, images inside, nothing of the mail runs."""

from __future__ import annotations

import mailbox
from email.message import EmailMessage
from pathlib import Path

from webhouse import Enter


def letter(subject: str) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = subject, "warte@example.org", "pr@example.org"
    mail["Date"] = "Fri, 20 Nov 2026 09:20:00 +0000"
    mail.set_content("Stufe 3 von 6 <b>")
    mail.add_alternative('<p>Stufe 3</p><script>alert(1)</script><img src="cid:chart@x">', subtype="html")
    mail.get_payload()[1].add_related(b"\x89PNG", "image", "png", cid="<chart@x>")  # type: ignore[union-attr,index]
    return mail


def test_letters_are_listed_and_shown(seed: Path, enter: Enter, tmp_path: Path) -> None:
    box = mailbox.Maildir(tmp_path / "box")
    for subject in ("erste <i>", "zweite"):
        box.add(letter(subject).as_bytes())
    client = enter(seed, demo={"mailbox": tmp_path / "box"})
    page = client.get("/mailbox").text
    assert "erste &lt;i&gt;" in page and page.index("/mailbox/2") < page.index("/mailbox/1")
    view = client.get("/mailbox/1")
    assert "Stufe 3 von 6 &lt;b&gt;" in view.text and 'sandbox="allow-popups' in view.text
    assert "frame-src 'self'" in view.headers["content-security-policy"]
    frame = client.get("/mailbox/1/html")
    assert 'src="data:image/png;base64,iVBORw=="' in frame.text
    policy = frame.headers["content-security-policy"]
    assert "sandbox" in policy and "default-src 'none'" in policy and "script" not in policy
    assert frame.headers["x-frame-options"] == "SAMEORIGIN"
    assert client.get("/mailbox/3").status_code == 404 and "Vorführung:" in client.get("/").text


def test_an_mbox_file_or_nothing_yet(seed: Path, enter: Enter, tmp_path: Path) -> None:
    client = enter(seed, demo={"mailbox": tmp_path / "mbox"})
    assert "Noch keine Mail." in client.get("/mailbox").text
    box = mailbox.mbox(tmp_path / "mbox")
    box.add(letter("als mbox").as_bytes())
    box.close()
    assert "als mbox" in client.get("/mailbox").text
