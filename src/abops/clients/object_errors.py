"""What goes wrong with an object store, each with the next step."""

from abops.kernel.errors import OpsError


class ObjectStoreError(OpsError):
    """An object store did not do what was asked."""

    hint = "See whether its endpoint, bucket and credentials are right: `abops backup doctor`."


class StoreUnreachableError(ObjectStoreError):
    """An object store did not answer in time."""

    hint = "See whether its endpoint can be reached from here, and whether its certificate is good."


class StoreDeniedError(ObjectStoreError):
    """An object store did not accept the credentials, or they do not allow this."""

    hint = "See the access key, its secret and its rights on this bucket."


class ClockSkewError(StoreDeniedError):
    """This machine's clock differs too much from the object store's."""

    hint = "Set the clock of this machine: signatures are accepted within five minutes."


class ObjectAbsentError(ObjectStoreError):
    """An object, or the bucket it should be in, is not there."""

    hint = "List what is there: `abops backup list`."


class NotOfferedError(ObjectStoreError):
    """This kind of object store does not offer what was asked."""

    hint = "Versions and locks are kept by S3 only."
