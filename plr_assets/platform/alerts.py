"""What is said of a run that failed: what, where, why, and the command that goes on from there; to the log and to whom
it may concern.

Belongs here: the text, and sending it to a webhook or by e-mail. Does not belong here: noticing a failure (`sensors`).

Where to is said by the environment, not by the study: it belongs to the place where the daemon runs. Errors name no
file and no subject code (`recordings.anonymise`), so a summary may leave the machine.
"""

from __future__ import annotations

import json
import os
import re
import smtplib
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage

import dagster as dg

from plr_assets.errors import ConfigError
from plr_assets.platform.assets import KEYS_TAG
from plr_assets.platform.jobs import BRING_UP_TO_DATE, INTEGRITY, REFREEZE

_RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
_PARTITION = "dagster/partition"
_TIMEOUT_S = 20
_SHOWN_LINES = 30
_SHOWN_KEYS = 5


@dataclass(frozen=True)
class Failure:
    """One failed run in words."""

    study: str
    run_id: str
    what: str
    keys: str
    cause: str
    resume: str

    @property
    def subject(self) -> str:
        return f"{self.study}: {self.what} failed"

    @property
    def text(self) -> str:
        lines = [
            self.subject,
            *([f"keys: {self.keys}"] if self.keys else []),
            f"cause: {self.cause}",
            f"go on with: {self.resume}",
            f"Dagster run: {self.run_id}",
        ]
        return "\n".join(lines)


def failure_of(study: str, run: dg.DagsterRun, errors: Sequence[str], reason: str | None) -> Failure:
    """What the failed `run` says of itself.

    errors   messages of its failed steps, innermost cause each.
    reason   why the run as a whole was failed, where no step was: its process was killed, for one.
    """
    assets = sorted(key.path[-1] for key in run.asset_selection or ())
    keys = json.loads(run.tags[KEYS_TAG]) if KEYS_TAG in run.tags else _range(run)
    more = f" and {len(keys) - _SHOWN_KEYS} more" if len(keys) > _SHOWN_KEYS else ""
    lines = "\n".join(errors or [reason or "the run says no cause; see its log"]).splitlines()
    return Failure(
        study=study,
        run_id=run.run_id,
        what=", ".join(assets) or run.job_name,
        keys=", ".join(keys[:_SHOWN_KEYS]) + more,
        cause="\n".join(lines[:_SHOWN_LINES]),
        resume=_resume(study, run.job_name, assets),
    )


def _range(run: dg.DagsterRun) -> list[str]:
    if _PARTITION in run.tags:
        return [run.tags[_PARTITION]]
    ends = [run.tags[tag] for tag in _RANGE if tag in run.tags]
    return [" ... ".join(dict.fromkeys(ends))] if ends else []


def _resume(study: str, job: str, assets: Sequence[str]) -> str:
    """It reuses what was published, so it does what is left."""
    if job == REFREEZE:
        return f"plr refreeze {study}"
    if job in (BRING_UP_TO_DATE, INTEGRITY) or not assets:
        return f"plr run {study}"
    return f"plr run {study} --select 'asset={','.join(assets)}'"


def send(failure: Failure) -> list[str]:
    """To every place that is configured. Returns what went wrong in words: a summary that is not sent stays in the log.

    Raises ConfigError where the configuration cannot be meant.
    """
    problems = []
    webhook, email = os.environ.get("PLR_ALERT_WEBHOOK"), os.environ.get("PLR_ALERT_EMAIL")
    for name, where, deliver in (("PLR_ALERT_WEBHOOK", webhook, _post), ("PLR_ALERT_EMAIL", email, _mail)):
        if where:
            try:
                deliver(where, failure)
            except OSError as error:  # urllib's and smtplib's errors are of this kind
                problems.append(f"{name}: {type(error).__name__}: {_without_secrets(str(error))}")
    return problems


def _post(url: str, failure: Failure) -> None:
    """A JSON object whose `text` is what chat services show."""
    if not url.startswith(("https://", "http://")):
        raise ConfigError("PLR_ALERT_WEBHOOK", "it is no http or https address.", "Mend it, or leave it out.")
    body = json.dumps({"text": failure.text, "study": failure.study, "run_id": failure.run_id}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - checked above
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310
        pass


def _mail(to: str, failure: Failure) -> None:
    server = os.environ.get("PLR_SMTP_SERVER", "")
    host, _, port = server.partition(":")
    if not host or not (port or "25").isdigit():
        raise ConfigError("PLR_SMTP_SERVER", "PLR_ALERT_EMAIL needs a mail server, as host or host:port.", "Set it.")
    message = EmailMessage()
    message["Subject"] = failure.subject
    message["From"] = os.environ.get("PLR_ALERT_FROM") or to.partition(",")[0].strip()
    message["To"] = to
    message.set_content(failure.text)
    user = os.environ.get("PLR_SMTP_USER")
    with smtplib.SMTP(host, int(port or 25), timeout=_TIMEOUT_S) as client:
        if user:
            client.starttls()
            client.login(user, os.environ.get("PLR_SMTP_PASSWORD", ""))
        client.send_message(message)


def _without_secrets(text: str) -> str:
    """Addresses of webhooks are keys to them."""
    return re.sub(r"https?://\S+", "<address>", text)
