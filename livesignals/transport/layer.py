"""The Channels layer that carries batches to the consumers of one server, on its event loop.

It has an alias of its own; the project's CHANNEL_LAYERS stay as they are.
"""

from contextlib import suppress
from typing import Any

from channels.exceptions import ChannelFull
from channels.layers import InMemoryChannelLayer, channel_layers

LAYER_ALIAS = "livesignals"


class InMemoryLayer(InMemoryChannelLayer):
    """Channels' own for hundreds of consumers. That one makes a task for each consumer of each message, and looks for
    what has expired in the channels of all whenever one of them receives. Here a channel is there until it leaves its
    group, and nothing expires: a consumer whose page does not read for a minute stays in it."""

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Whose channel is full does without the message."""
        for channel in tuple(self.groups.get(group, ())):
            with suppress(ChannelFull):
                await self.send(channel, message)

    async def group_discard(self, group: str, channel: str) -> None:
        await super().group_discard(group, channel)
        self.channels.pop(channel, None)

    def _clean_expired(self) -> None:
        pass


def channel_layer() -> InMemoryLayer:
    """The layer, made at its first use."""
    layer = channel_layers.backends.get(LAYER_ALIAS)
    if not isinstance(layer, InMemoryLayer):
        layer = InMemoryLayer()
        channel_layers.set(LAYER_ALIAS, layer)
    return layer
