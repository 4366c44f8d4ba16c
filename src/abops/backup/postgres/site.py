"""Reading and writing what a home protects: site.json and the engine's configurations."""

from pathlib import Path
from typing import Any

import msgspec

from abops.backup.model import Destination, Home, Site
from abops.backup.postgres.config import engine_config
from abops.backup.postgres.credentials import keyring_of
from abops.clients.pgbackrest_answers import Capabilities
from abops.kernel.errors import OpsError, UsageError
from abops.kernel.files import write_atomic


class NotProtectedError(OpsError):
    """This folder protects no database yet."""

    hint = "Make it with abops backup init, or name another with --home."


def load_site(home: Home) -> Site:
    """Return what the home protects. Raises NotProtectedError."""
    try:
        return read_site(home.site.read_bytes())
    except FileNotFoundError as error:
        raise NotProtectedError(f"{home.folder} protects no database yet") from error
    except (OSError, msgspec.MsgspecError) as error:
        raise NotProtectedError(f"{home.site} cannot be read: {error}") from error


def with_shift(home: Home, site: Site) -> Site:
    """Return the site with the failover that stands in the home: the inventory does not know it."""
    try:
        shift = load_site(home).shift
    except NotProtectedError:
        return site
    if shift is None or not {shift.primary, shift.before, *shift.away} <= {
        place.name for place in site.destinations
    }:
        return site
    return msgspec.structs.replace(site, shift=shift)


def with_generations(home: Home, site: Site) -> Site:
    """Return the site with the keys that are in use here, where the inventory names older ones.

    Who goes back to an older key would write into a repository that ends by its retention.
    """
    try:
        before = {place.name: place for place in load_site(home).destinations}
    except NotProtectedError:
        return site
    places = []
    for place in site.destinations:
        old = before.get(place.name)
        if old is not None and number_of(old.generation) >= number_of(place.generation):
            place = msgspec.structs.replace(place, generation=old.generation, next=old.next)  # noqa: PLW2901 - the same place
        places.append(place)
    return msgspec.structs.replace(site, destinations=tuple(places))


def number_of(generation: str) -> int:
    """Return which key generation `g3` is."""
    digits = generation.lstrip("g")
    return int(digits) if digits.isdecimal() else 0


def generations_of(home: Home, place: Destination) -> tuple[Destination, ...]:
    """Return a destination once for each key generation that the home can read, oldest first.

    Where none was configured yet it is its own one.
    """
    names = {path.name.split(".")[-2] for path in home.folder.glob(f"{place.name}.*.conf")}
    names = names or {place.generation}
    return tuple(
        msgspec.structs.replace(place, generation=name, next="")
        for name in sorted(names, key=number_of)
    )


def read_site(text: bytes) -> Site:
    """Return the site that a site.json tells. Raises msgspec.MsgspecError."""
    return msgspec.json.decode(text, type=Site, dec_hook=_from_json)


def save_site(home: Home, site: Site) -> None:
    """Write what the home protects."""
    text = msgspec.json.encode(site, enc_hook=_to_json)
    write_atomic(home.site, msgspec.json.format(text) + b"\n")


def prepare_destination(
    home: Home, site: Site, destination: Destination, can: Capabilities
) -> Path:
    """Write the engine's configuration of a destination and make the folders that it names.

    Its keys and its passphrase must be among the home's secrets.
    """
    for kind in ("lock", "spool", "log"):
        (home.work(destination.name) / kind).mkdir(parents=True, exist_ok=True)
    text = engine_config(home, site, destination, keyring_of(home, destination), can)
    path = home.engine(destination.name, destination.generation)
    write_atomic(path, text, mode=0o600)
    return path


def chosen(site: Site, names: tuple[str, ...]) -> tuple[Destination, ...]:
    """Return the named sources, or all of them. Raises UsageError with the names there are."""
    known = {place.name: place for place in site.sources}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(
            f"no destination {', '.join(unknown)} makes backups here",
            hint=f"There are: {', '.join(known)}",
        )
    return tuple(known[name] for name in names) or site.sources


def working(site: Site, names: tuple[str, ...]) -> tuple[Destination, ...]:
    """Return the named sources, or all that no failover has given up. Raises UsageError."""
    return chosen(site, names) if names else site.present


def _to_json(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(type(value).__name__)


def _from_json(kind: type, value: Any) -> Any:  # noqa: ANN401 - what msgspec hands over
    if issubclass(kind, Path):
        return Path(value)
    raise NotImplementedError(kind.__name__)
