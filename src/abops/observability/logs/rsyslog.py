"""The shipper: rsyslog, from the files to the store's bulk interface.

A line is sent as text, with its place beside it, and parsed in the store: a store refuses a
whole batch for one document that is not JSON to the letter, so nothing that a service writes
may shape the document. For the same reason bytes that are not UTF-8 become `?`.

While the store is down lines wait in memory, then on disk, then in their files. What it refuses
for good goes to the dead-letter file with the reason.
"""

import json

from msgspec import Struct

from abops.inventory.model import Inventory
from abops.observability.logs.streams import PIPELINE, Source, sources

MAX_LINE_BYTES = 256 * 1024
QUEUE_LINES = 20_000
QUEUE_DISK_GIB = 1
BATCH_LINES = 500
DEAD_LETTERS = "dead-letter.jsonl"


class ShipperPlace(Struct, frozen=True):
    """Where one shipper runs: its files, and its store."""

    env: str
    logs: str = "/var/log/analyticbot"
    state: str = "/var/spool/analyticbot-logs"
    host: str = "opensearch"
    port: int = 9200
    https: bool = False
    modules: str = ""
    """Folder of rsyslog's modules, where it is not the built-in one."""


def rsyslog_config(inventory: Inventory, place: ShipperPlace) -> str:
    """Return the configuration of an rsyslogd of its own: `rsyslogd -n -f FILE -i PIDFILE`."""
    shipped = sources(inventory)
    state = _quoted(place.state)
    return "\n".join(
        [
            "# JSON lines -> OpenSearch or Elasticsearch (_bulk, data streams).",
            f"global(workDirectory={state} maxMessageSize={_quoted(str(MAX_LINE_BYTES))}",
            '       parser.escapeControlCharactersOnReceive="off" net.enableDNS="off")',
            *(f'module(load="{name}")' for name in ("fmhash", "mmutf8fix", "omelasticsearch")),
            'module(load="imfile" mode="inotify")',
            "",
            "# What rsyslog says about itself.",
            'action(type="omfile" file="/dev/stdout")',
            "",
            *(_input(place, source) for source in shipped),
            "",
            _templates(place),
            _prepare(inventory, place, shipped),
            _send(place),
            _again(place),
        ]
    )


def _quoted(text: str) -> str:
    """Return `text` as a string of rsyslog's language."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def _input(place: ShipperPlace, source: Source) -> str:
    file = _quoted(f"{place.logs}/{source.part}.log")
    return (
        f'input(type="imfile" file={file} tag="{source.part}" ruleset="lines"'
        ' freshStartTail="off" reopenOnTruncate="on" addMetadata="on")'
    )


def _constant(text: str) -> str:
    return f"  constant(value={json.dumps(text)})"


def _templates(place: ShipperPlace) -> str:
    env = json.dumps(place.env)
    document = [
        _constant('{"@timestamp":"'),
        '  property(name="timegenerated" dateFormat="rfc3339" date.inUTC="on")',
        _constant('","service.name":"'),
        '  property(name="$.service")',
        _constant(f'","service.environment":{env},"log.file.name":"'),
        '  property(name="$.part")',
        _constant('.log","log.offset":'),
        '  property(name="$.offset")',
        _constant(',"line":"'),
        '  property(name="msg" format="json")',
        _constant('"}'),
    ]
    dead = [
        _constant('{"at":"'),
        '  property(name="timegenerated" dateFormat="rfc3339" date.inUTC="on")',
        _constant('","stream":"'),
        '  property(name="$.stream")',
        _constant('","id":"'),
        '  property(name="$.id")',
        _constant('","status":'),
        '  property(name="$.omes!status")',
        _constant(","),
        '  property(outname="reason" name="$.omes!error!reason" format="jsonf")',
        _constant(","),
        '  property(outname="cause" name="$.omes!error!caused_by!reason" format="jsonf")',
        _constant(","),
        '  property(outname="line" name="$!line" format="jsonf")',
        _constant("}\n"),
    ]
    return "\n".join(
        [
            'template(name="wrapped" type="list") {',
            *document,
            "}",
            'template(name="resent" type="list") { property(name="$!all-json-plain") }',
            'template(name="document" type="string" string="%$.document%")',
            'template(name="stream" type="string" string="%$.stream%")',
            'template(name="id" type="string" string="%$.id%")',
            'template(name="dead" type="list") {',
            *dead,
            "}",
            "",
        ]
    )


def _prepare(inventory: Inventory, place: ShipperPlace, shipped: tuple[Source, ...]) -> str:
    ours = ", ".join(f'"{s.part}"' for s in shipped if s.part != s.service)
    name = inventory.name
    return f"""\
# The identity of a line: its file, its place there, its text. A file that is cut begins anew
# at 0, so the place alone would not do. Taken before bytes are replaced.
ruleset(name="lines" queue.type="LinkedList" queue.size="{QUEUE_LINES}"
        queue.filename="lines" queue.maxDiskSpace="{QUEUE_DISK_GIB}g" queue.maxFileSize="64m"
        queue.saveOnShutdown="on" queue.timeoutShutdown="2000"
        queue.dequeueBatchSize="{BATCH_LINES}") {{
  set $.part = $programname;
  set $.offset = $!metadata!fileoffset;
  set $.id = $.part & ":" & $.offset & ":" & hash64($msg);
  set $.stream = "logs-{name}." & $.part & "-{place.env}";
  if $.part == [{ours}] then {{ set $.service = "{name}-" & $.part; }}
  else {{ set $.service = $.part; }}
  action(type="mmutf8fix" replacementChar="?")
  set $.document = exec_template("wrapped");
  call send
}}
"""


def _send(place: ShipperPlace) -> str:
    https = "on" if place.https else "off"
    return f"""\
ruleset(name="send") {{
  action(name="store" type="omelasticsearch"
         server={_quoted(place.host)} serverport="{place.port}" usehttps="{https}"
         template="document" bulkmode="on" maxbytes="5m" writeoperation="create"
         searchIndex="stream" dynSearchIndex="on" searchType="" esVersion.major="8"
         bulkid="id" dynbulkid="on" pipelineName="{PIPELINE}" timeout="1m"
         retryfailures="on" retryruleset="again"
         action.resumeRetryCount="-1" action.resumeInterval="2" action.resumeIntervalMax="10")
}}
"""


def _again(place: ShipperPlace) -> str:
    dead = _quoted(f"{place.state}/{DEAD_LETTERS}")
    return f"""\
# Every line of a batch of which the store did not take all. 200, 201: taken. 409: it has the
# line already. Too busy: once more. Else: dead.
ruleset(name="again") {{
  if $.omes!status == 200 or $.omes!status == 201 or $.omes!status == 409 then {{ stop }}
  set $.id = $.omes!_id;
  set $.stream = $.omes!_index;
  if $.omes!status == 429 or $.omes!status == 503 then {{
    set $.document = exec_template("resent");
    call send
    stop
  }}
  action(type="omfile" file={dead} template="dead" fileCreateMode="0600")
}}
"""
