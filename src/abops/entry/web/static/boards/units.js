// Figures as people read them; observability/panels/units.py writes them alike.
const THOUSANDS = ["", "k", "M", "G", "T", "P"];
const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const RATES = { reqps: "req/s", ops: "ops/s", iops: "io/s", pps: "packets/s" };
const IN_SECONDS = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86400 };
const TINY = 1e-9;

export function figure(value, unit, decimals = null) {
  if (value === null || value === undefined) return "-";
  if (unit === "percentunit" || unit === "percent") {
    return `${percent(unit === "percentunit" ? value * 100 : value, decimals)} %`;
  }
  if (unit in IN_SECONDS) return duration(value * IN_SECONDS[unit], decimals);
  if (unit === "bytes" || unit === "Bps") {
    return scaled(value, 1024, BINARY, decimals, " ") + (unit === "Bps" ? "/s" : "");
  }
  if (unit in RATES) return `${scaled(value, 1000, THOUSANDS, decimals)} ${RATES[unit]}`;
  if (unit === "currencyUSD") {
    return (value < 0 ? "-$" : "$") + scaled(Math.abs(value), 1000, THOUSANDS, decimals);
  }
  if (unit === "bool") return value ? "yes" : "no";
  return scaled(value, 1000, THOUSANDS, decimals);
}

function percent(value, decimals) {
  if (decimals === null && value >= 99 && value < 100) {
    return bare((Math.floor(value * 100) / 100).toFixed(2));
  }
  return digits(value, decimals);
}

function scaled(value, size, names, decimals, gap = "") {
  let index = 0;
  while (Math.abs(value) >= size && index < names.length - 1) {
    value /= size;
    index += 1;
  }
  return `${digits(value, decimals)}${gap}${names[index]}`;
}

function duration(seconds, decimals) {
  const size = Math.abs(seconds);
  if (size < TINY) return "0 s";
  const scales = [[0.001, 1e6, "µs"], [1, 1e3, "ms"], [60, 1, "s"], [3600, 1 / 60, "min"], [86400, 1 / 3600, "h"]];
  for (const [limit, scale, name] of scales) {
    if (size < limit) return `${digits(seconds * scale, decimals)} ${name}`;
  }
  return `${digits(seconds / 86400, decimals)} d`;
}

function digits(value, decimals) {
  if (decimals !== null && decimals !== undefined) return value.toFixed(decimals);
  const size = Math.abs(value);
  if (size < TINY) return "0";
  let places = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  while (places < 6 && size < 10 ** -(places - 1)) places += 1;
  return bare(value.toFixed(places));
}

const bare = (text) => (text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text);

// A value as its word, when the board has one for it.
export function shown(settings, value) {
  const word = value === null || value === undefined ? undefined : settings.words[String(value)];
  return word ?? figure(value, settings.unit, settings.decimals);
}

export function thresholdOf(settings, value) {
  if (value === null || value === undefined) return undefined;
  let found;
  for (const step of settings.thresholds) {
    if (step.value === null || value >= step.value) found = step;
  }
  return found;
}
