"""sentry-sdk with a transport that counts spans of signals and discards everything."""

import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.transport import Transport

#: Spans that a transaction keeps at most; sentry-sdk's own default.
TRANSACTION_SPANS = 1_000


class CountingTransport(Transport):  # type: ignore[misc]  # the type checker's environment lacks sentry-sdk
    """Where envelopes end."""

    spans = 0  # of receivers of signals

    def capture_envelope(self, envelope: Envelope) -> None:
        transaction = envelope.get_transaction_event()
        if transaction is not None:
            type(self).spans += sum(span["op"] == "event.django" for span in transaction["spans"])


def start() -> None:
    """Trace every transaction, with a span for every receiver."""
    sentry_sdk.init(
        dsn="http://key@127.0.0.1/1",
        transport=CountingTransport,
        traces_sample_rate=1.0,
        integrations=[DjangoIntegration(signals_spans=True)],
    )
