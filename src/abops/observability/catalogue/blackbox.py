"""Alerts about the edge: certificates, names and Telegram's webhook, as outsiders meet them."""

from datetime import timedelta

from abops.inventory.model import Inventory
from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook, Severity
from abops.observability.catalogue.cases import Timing, around, steady
from abops.observability.catalogue.place import Place, of_kind
from abops.observability.catalogue.wording import amount

GROUP, BOARD = "edge", "infrastructure"
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
_PROBED = {"env": "local", "service": "api", "instance": "https://a/health"}
_LABELS = '{env="local",service="api",instance="https://a/health"}'


def edge_alerts(inventory: Inventory) -> tuple[Alert, ...]:
    """Return the alerts about the edge."""
    seen = of_kind(inventory.platform, "blackbox")
    bot = of_kind(inventory.services, "aiogram")
    probed = (_tls(seen, "warning", 21), _tls(seen, "critical", 7), _dns(seen)) if seen else ()
    return (*probed, *((_webhook(bot),) if bot else ()))


def _tls(where: Place, severity: Severity, days: float) -> Alert:
    hold = 5 * MINUTE
    return Alert(
        name="EdgeTlsExpires",
        instance=severity,
        group=GROUP,
        severity=severity,
        expr=(
            "(min by (env, service, instance) (probe_ssl_earliest_cert_expiry) - time()) / 86400"
            " < {threshold}"
        ),
        threshold=days,
        unit="days",
        hold=hold,
        reason=(
            "Renewal comes 30 days before the end: at 21 it has failed for a week. 7 days are"
            " what a change of provider or an answer of the registrar may take."
        ),
        summary="The certificate of {{ $labels.instance }} ends in {{ $value | humanize }} days",
        impact="On that day nobody connects: browsers warn, Telegram stops calling the webhook.",
        labels=where.labels("tls", "availability"),
        board=BOARD,
        runbook=Runbook(
            meaning="The certificate that is served ends soon and was not renewed.",
            diagnosis=(
                "What is served (it may differ from what was renewed), then what renews"
                " it:\n\n```\nopenssl s_client -connect HOST:443 -servername HOST </dev/null"
                " 2>/dev/null | openssl x509 -noout -subject -issuer -enddate\n"
                "kubectl get certificate,certificaterequest,order,challenge -A\n"
                "kubectl -n cert-manager logs deploy/cert-manager --tail=50\n```\nA challenge that"
                " is pending: port 80 or DNS does not reach us. Renewed long ago but not served:"
                " the ingress did not read it again."
            ),
            mitigation=(
                "```\ncmctl renew -n NAMESPACE CERTIFICATE    # or: certbot renew\n"
                "kubectl -n ingress-nginx rollout restart deploy/ingress-nginx-controller\n```\n"
                "Do not delete the old secret first: until there is a new one it is all we have."
                " Do not try again in a loop: the issuer allows five failed attempts an hour."
            ),
        ),
        cases=(
            *around(
                days,
                lambda v: {f"probe_ssl_earliest_cert_expiry{_LABELS}": steady(v * 86400)},
                lambda v: Fired(_PROBED, _ends(v - hold / DAY)),
                below=True,
                timing=Timing(hold),
            ),
            Case(
                "it has ended",
                {f"probe_ssl_earliest_cert_expiry{_LABELS}": "0x99"},
                hold * 2,
                (Fired(_PROBED, _ends(-2 * hold / DAY)),),
            ),
        ),
    )


def _ends(days: float) -> str:
    shown = amount(days) if days >= 1 else f"{days * 1000:.4g}m"
    return f"The certificate of https://a/health ends in {shown} days"


def _dns(where: Place) -> Alert:
    hold = 2 * MINUTE
    return Alert(
        name="EdgeDnsProbeFailed",
        group=GROUP,
        severity="warning",
        expr="max by (env, service, instance) (probe_ip_protocol) < {threshold}",
        threshold=1,
        unit="(4 or 6; 0 without an address)",
        hold=hold,
        reason="Two minutes: a resolver that restarts is back before.",
        summary="The name in {{ $labels.instance }} has no address",
        impact="Whoever does not have the address cached cannot reach {{ $labels.service }}.",
        labels=where.labels("dns", "availability"),
        board=BOARD,
        runbook=Runbook(
            meaning="The prober asked for the address of this name and got none.",
            diagnosis=(
                "```\ndig +short NAME; dig +short NAME @1.1.1.1; dig NS DOMAIN +short\n"
                "dig +trace NAME | tail -n 20\nwhois DOMAIN | grep -iE 'expir|status'\n"
                "kubectl -n kube-system logs -l k8s-app=kube-dns --tail=50\n```\nOnly our resolver"
                " fails: CoreDNS or its upstream. All fail: the zone (SERVFAIL: DNSSEC; NXDOMAIN:"
                " the record is gone), or the domain has run out (`clientHold`)."
            ),
            mitigation=(
                "Our resolver: `kubectl -n kube-system rollout restart deploy/coredns`. The record"
                " is gone: put it back at the provider; others keep the failure for as long as the"
                " SOA's minimum says. The domain: pay it at once. Do not move to other name"
                " servers in haste: the old delegation is cached for up to two days."
            ),
        ),
        cases=around(
            1,
            lambda v: {f"probe_ip_protocol{_LABELS}": steady(v)},
            lambda _v: Fired(_PROBED, "The name in https://a/health has no address"),
            below=True,
            timing=Timing(hold),
        ),
    )


def _webhook(where: Place) -> Alert:
    hold = 2 * MINUTE
    return Alert(
        name="EdgeWebhookUrlMismatch",
        group=GROUP,
        severity="critical",
        expr="min by (env, service) (telegram_bot_webhook_is_ours) < {threshold}",
        threshold=0.5,
        unit="(1 is ours)",
        hold=hold,
        reason="A deploy sets the webhook when it starts; two minutes later it must be ours.",
        summary="Telegram delivers {{ $labels.service }}'s updates somewhere else",
        impact="The bot gets no messages: for people it is dead; somebody else may read them.",
        labels=where.labels("webhook", "security"),
        board="bot",
        runbook=Runbook(
            meaning=(
                "The address that Telegram calls is not the one that this bot set: another"
                " environment runs with the same token, a poller removed the webhook, or the token"
                " is in other hands."
            ),
            diagnosis=(
                "The token is in `BOT_TOKEN`; keep it out of the shell's history:\n\n```\n"
                "read -rs TOKEN\ncurl -s --config - <<< "
                '"url = https://api.telegram.org/bot$TOKEN/getWebhookInfo"\n```\n'
                "`url` of staging or of a colleague: same token there. Empty: somebody polls with"
                " it (BotConflict). An address that nobody knows: the token has leaked."
            ),
            mitigation=(
                "Leaked: revoke it now with @BotFather (`/revoke`), put the new one into the"
                " secret, restart the bot. Otherwise stop the other process, then have the bot set"
                " its own webhook again:\n\n```\nabops stack restart bot\n```\nDo not set it by"
                " hand while the other one still runs: it takes it back. Updates wait at Telegram"
                " for 24 hours: nothing is lost until then."
            ),
        ),
        cases=around(
            0.5,
            lambda v: {'telegram_bot_webhook_is_ours{env="local",service="bot"}': steady(v)},
            lambda _v: Fired(
                {"env": "local", "service": "bot"},
                "Telegram delivers bot's updates somewhere else",
            ),
            below=True,
            timing=Timing(hold),
        ),
    )
