// One event stream for all tabs of this browser.
//
// Over HTTP/1.1 a browser opens six connections to a server; a stream in each of seven tabs
// would leave none to load a page with. The tab that holds the lock has the stream and tells the
// others; when it closes, the next one takes over.
const NAME = "abops-events";
const AGAIN_MS = 3000; // after the server refused the stream

export function listen({ onEvent, onState }) {
  const channel = new BroadcastChannel(NAME);
  let state = ""; // what the stream of this tab is in; empty: another tab has it

  function tell(message) {
    receive(message);
    channel.postMessage(message);
  }

  function receive(message) {
    if (message.ask) {
      if (state) channel.postMessage({ state });
    } else if (message.state) {
      onState(message.state);
    } else {
      onEvent();
    }
  }

  function open() {
    const stream = new EventSource("/v1/events");
    stream.onopen = () => {
      state = "live";
      tell({ state });
      tell({ event: "open" }); // whatever happened before the stream began
    };
    stream.onerror = () => {
      state = "stale";
      tell({ state });
      if (stream.readyState === EventSource.CLOSED) setTimeout(open, AGAIN_MS);
    };
    stream.addEventListener("incident", () => tell({ event: "incident" }));
  }

  channel.onmessage = ({ data }) => receive(data);
  channel.postMessage({ ask: true });
  if (!navigator.locks) return open(); // plain HTTP from another machine has no locks
  navigator.locks.request(NAME, () => {
    open();
    return new Promise(() => {}); // held until the tab goes
  });
}
