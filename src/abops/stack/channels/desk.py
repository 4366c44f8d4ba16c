"""What every channel's server works with, handed over as one value."""

from dataclasses import dataclass

from abops.kernel.clock import Clock
from abops.stack.channels.config import ChannelConfig, Secrets
from abops.stack.channels.recorder import Recorder


@dataclass(frozen=True)
class Desk:
    """The configuration, the secrets, the memory and the clock."""

    config: ChannelConfig
    secrets: Secrets
    recorder: Recorder
    clock: Clock
