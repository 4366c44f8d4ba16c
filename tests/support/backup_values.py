"""A site with two destinations, for tests that need no server."""

from pathlib import Path

from abops.backup.model import Cluster, Destination, Home, Keeping, Kind, Site

HOME = Home(Path("/etc/abops/backup"))
CLUSTER = Cluster(
    data=Path("/var/lib/db"),
    port=5432,
    socket=Path("/run/db"),
    superuser="admin",
    programs=Path("/usr/bin"),
    owner="postgres",
)
EU = Destination(
    name="eu",
    kind=Kind.S3,
    role="backup",
    container="copies",
    endpoint="s3.example.org",
    port=443,
    path="/analyticbot",
    generation="g1",
    region="eu-central-1",
    credentials="backup-eu",
)
AZURE = Destination(
    name="azure",
    kind=Kind.AZURE,
    role="backup",
    container="copies",
    endpoint="localhost",
    port=10443,
    path="/analyticbot",
    generation="g2",
    account="ours",
    ca_file="/etc/ca.crt",
)
SITE = Site(
    stanza="main",
    cluster=CLUSTER,
    destinations=(EU, AZURE),
    engine=Path("/usr/bin/pgbackrest"),
    retention=Keeping(days=30),
)
