"""A mail as plain text and simple HTML with its pictures in it, and its way to the newsroom's own mail server."""

import re
import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr

from tracker.settings import Smtp, is_this_machine
from tracker.web.notices.not_sent import NotSent

# For each step of the conversation.
SECONDS = 20
ADDRESS = re.compile(r"""[^\s@,;:<>()\[\]"\\]+@[^\s@,;:<>()\[\]"\\]+""")
"""One address and nothing else: what is not one could be a second recipient, or a header of its own."""
# No header is folded: a long address in one would be encoded as if it were words, and no mail program would find it.
POLICY = SMTP.clone(max_line_length=998)


@dataclass(frozen=True)
class Picture:
    """A PNG inside a mail: nothing is loaded when it is opened, so nobody learns that it was."""

    name: str
    png: bytes


@dataclass(frozen=True)
class Mail:
    """What is sent, and to whom."""

    to: str
    subject: str
    text: str
    html: str
    pictures: Sequence[Picture] = ()
    """The HTML shows each as `cid:` and its name."""
    stop: str = ""
    """The address with which its reader ends such mails; empty where there is nothing to end."""


def message(mail: Mail, sender: str, message_id: str, moment: datetime) -> EmailMessage:
    """The mail with its headers. `message_id` is the same for each try, so that mail programs know a second one.

    Raises NotSent if it is not to one address.
    """
    if not ADDRESS.fullmatch(mail.to):
        raise NotSent("recipient", for_good=True)
    name, address = parseaddr(sender)
    made = EmailMessage(policy=POLICY)
    user, _, domain = address.rpartition("@")
    made["From"] = Address(name, user, domain)
    to_user, _, to_domain = mail.to.rpartition("@")
    made["To"] = Address("", to_user, to_domain)
    made["Subject"] = one_line(mail.subject)
    made["Date"] = moment
    made["Message-ID"] = f"<{message_id}@{domain}>"
    # No “out of office” comes back.
    made["Auto-Submitted"] = "auto-generated"
    if mail.stop:
        # RFC 8058: mail programs offer a button of their own, which sends a POST to this address.
        made["List-Unsubscribe"] = f"<{mail.stop}>"
        made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    made.set_content(mail.text)
    made.add_alternative(mail.html, subtype="html")
    html = made.get_payload()[1]  # type: ignore[index]
    for picture in mail.pictures:
        html.add_related(  # type: ignore[union-attr]
            picture.png, "image", "png", cid=f"<{picture.name}>", disposition="inline", filename=f"{picture.name}.png"
        )
    return made


def one_line(words: str) -> str:
    """The words as one line of a header: titles may hold anything, and a new line would begin a header of its own."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in words).split())[:200]


def send(smtp: Smtp, mail: EmailMessage, to: str, host: str) -> None:
    """Hands the mail to the server, which answers for it from then on. `host` is who we are. Raises NotSent."""
    sender = parseaddr(str(mail["From"]))[1]
    with _in_our_words(), _connected(smtp, host) as server:
        if smtp.user:
            server.login(smtp.user, smtp.password)
        server.send_message(mail, sender, [to])


@contextmanager
def _connected(smtp: Smtp, host: str) -> Iterator[smtplib.SMTP]:
    """A conversation with the server, private where that is asked for."""
    # What a server calls itself in EHLO is a name, or an address in brackets.
    own = f"[{host}]" if host.replace(".", "").isdigit() else host if ":" not in host else "localhost"
    context = ssl.create_default_context()
    if smtp.security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(smtp.host, smtp.port, own, timeout=SECONDS, context=context)
    else:
        server = smtplib.SMTP(smtp.host, smtp.port, own, timeout=SECONDS)
    try:
        if smtp.security == "starttls":
            server.ehlo_or_helo_if_needed()
            if not server.has_extn("starttls"):
                raise NotSent("no_tls", for_all=True)
            server.starttls(context=context)
        yield server
    finally:
        # The server has the mail by now, or has not; how it says goodbye changes nothing.
        with suppress(OSError, smtplib.SMTPException):
            server.quit()
        server.close()


@contextmanager
def _in_our_words() -> Iterator[None]:
    """The ways in which a mail server fails us."""
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        raise NotSent("sign_in", _said(error), for_all=True) from error
    except smtplib.SMTPSenderRefused as error:
        raise NotSent("sender", _said(error), for_all=True) from error
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()))
        # 4xx: not now, such as while a server greylists; 5xx: there is no such address.
        raise NotSent("recipient", f"{code} {_text(said)}", for_good=code >= 500) from error
    except (smtplib.SMTPConnectError, smtplib.SMTPHeloError) as error:
        raise NotSent("no_answer", _said(error), for_all=True) from error
    except smtplib.SMTPResponseException as error:
        raise NotSent("refused", _said(error)) from error
    except smtplib.SMTPServerDisconnected as error:
        raise NotSent("broke_off", for_all=True) from error
    except smtplib.SMTPException as error:
        raise NotSent("refused", str(error)) from error
    except ssl.SSLCertVerificationError as error:
        raise NotSent("bad_certificate", error.verify_message, for_all=True) from error
    except ssl.SSLError as error:
        raise NotSent("no_tls", error.reason or "", for_all=True) from error
    except OSError as error:
        raise NotSent("no_answer", error.strerror or str(error), for_all=True) from error


def _said(error: smtplib.SMTPResponseException) -> str:
    return f"{error.smtp_code} {_text(error.smtp_error)}"


def _text(said: bytes | str) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said


def is_private(smtp: Smtp) -> bool:
    """Whether nobody on the way can read the mails."""
    return smtp.security != "none" or is_this_machine(smtp.host)
