"""What goes wrong with the bundle, each with the next step."""

from abops.kernel.errors import OpsError


class BundleError(OpsError):
    """The bundle of configuration is not what it should be."""

    hint = "Take another one: `abops backup config list`."


class DecryptError(BundleError):
    """The bundle does not open with this key, or it was changed. Nothing was applied."""

    hint = (
        "Another of the recipients' keys may open it, above all the offline recovery key; if none "
        "does, take another bundle: `abops backup config list`."
    )


class KeyFileError(BundleError):
    """This file holds no age key."""

    hint = "It is one line that begins with AGE-SECRET-KEY-1."


class RecipientsError(BundleError):
    """A bundle needs two recipients, one of them the offline recovery key."""

    hint = "Make it, and keep it away from this machine: `abops backup config init-key`."


class CollectError(BundleError):
    """A part of the configuration cannot be read."""

    hint = "A bundle without it would be no way back: mend that first."
