from email.message import EmailMessage

import aiosmtplib
import pytest

from support.channels import SECRETS, Channels


def a_message() -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = "Weekly summary: 14 incidents, Köln"
    message["From"] = "abops@example.org"
    message["To"] = "team@example.org"
    message["Message-ID"] = "<week-47@example.org>"
    message.set_content("MTTA 1m 40s\n")
    message.add_alternative("<p>MTTA 1m 40s</p>", subtype="html")
    return message


async def send(
    channels: Channels, *, username: str | None = "abops", password: str | None = SECRETS["smtp"]
) -> None:
    await aiosmtplib.send(
        a_message(),
        hostname="127.0.0.1",
        port=channels.ports["smtp"],
        start_tls=False,
        timeout=10,
        username=username,
        password=password,
    )


async def test_a_message_is_kept_with_its_parts(channels: Channels) -> None:
    await send(channels)
    (record,) = channels.received("inbox")
    kept = record["payload"]
    assert ("email", "Weekly summary: 14 incidents, Köln") == (
        record["channel"],
        record["summary"],
    )
    assert ("abops@example.org", "team@example.org", "<week-47@example.org>") == (
        kept["from"],
        kept["to"],
        kept["message_id"],
    )
    assert ("MTTA 1m 40s", "<p>MTTA 1m 40s</p>") == (kept["text"].strip(), kept["html"].strip())


async def test_nobody_sends_without_the_right_password(channels: Channels) -> None:
    with pytest.raises(aiosmtplib.SMTPAuthenticationError):
        await send(channels, password="wrong")  # noqa: S106 - not a secret
    with pytest.raises(aiosmtplib.SMTPAuthenticationError):
        await send(channels, username="someone")
    with pytest.raises(aiosmtplib.SMTPSenderRefused) as refused:
        await send(channels, username=None, password=None)
    assert 530 == refused.value.code
    assert [] == channels.received("inbox")
    assert {("refused", "login")} == {
        (violation["kind"], violation["rule"]) for violation in channels.violations("inbox")
    }


async def test_a_message_over_the_announced_size_is_refused(channels: Channels) -> None:
    port = channels.ports["smtp"]
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False)
    async with client:
        await client.login("abops", SECRETS["smtp"])
        size = int(client.esmtp_extensions["size"])
        with pytest.raises(aiosmtplib.SMTPSenderRefused) as refused:
            await client.mail("abops@example.org", options=[f"SIZE={size + 1}"])
    assert 552 == refused.value.code
    assert ["message size"] == [violation["rule"] for violation in channels.violations("inbox")]


@pytest.mark.parametrize(("mode", "code"), [("429", 450), ("4xx", 451), ("5xx", 554)])
async def test_an_ordered_failure_hits_as_many_messages_as_ordered(
    channels: Channels, mode: str, code: int
) -> None:
    channels.control("inbox", mode=mode, count=1)
    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        await send(channels)
    assert code == refused.value.code
    await send(channels)
    assert 1 == len(channels.received("inbox"))


async def test_a_connection_is_cut_in_the_middle_of_a_message(channels: Channels) -> None:
    channels.control("inbox", mode="reset", count=1)
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await send(channels)
    assert [] == channels.received("inbox")
