"""How the page of evidence looks: the console's colours and sizes, in the page itself."""

from typing import Final

STYLE: Final = """\
:root {
  color-scheme: light dark;
  --ground: light-dark(#f5f6f8, #0e1115); --surface: light-dark(#ffffff, #161a20);
  --line: light-dark(#dfe3e9, #2a313b); --text: light-dark(#181d24, #e7eaef);
  --muted: light-dark(#566070, #9aa6b6); --accent: light-dark(#2456c7, #8db4ff);
  --soft: light-dark(#c9d7f4, #2a3b5e); --act: light-dark(#c01f1a, #ff8078);
  --warn: light-dark(#8a5600, #f0b64a); --good: light-dark(#1b7440, #63cf92);
}
* { box-sizing: border-box }
body {
  margin: 0; background: var(--ground); color: var(--text);
  font: 14px/1.5 -apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, "Noto Sans", Ubuntu,
    "Liberation Sans", system-ui, sans-serif;
  font-variant-numeric: tabular-nums;
}
main { max-width: 68rem; margin: 0 auto; padding: 24px 16px 48px }
h1 { font-size: 20px; line-height: 1.3; margin: 0 0 12px }
h2 { font-size: 16px; margin: 0 0 8px; display: flex; flex-wrap: wrap; gap: 4px 12px }
h2 span { font-size: 14px; font-weight: 500 }
.kind { margin: 0; color: var(--muted) }
section {
  background: var(--surface); border: 1px solid var(--line); border-radius: 6px;
  padding: 16px; margin-top: 16px; scroll-margin-top: 16px;
}
.good { color: var(--good) } .act { color: var(--act) } .warn { color: var(--warn) }
h1.good { color: inherit }
a { color: var(--accent); text-decoration: none } a:hover { text-decoration: underline }
.reason { margin: 0 0 8px; overflow-wrap: anywhere }
.facts { display: flex; flex-wrap: wrap; gap: 8px 32px; margin: 0 0 16px }
dt { color: var(--muted); font-size: 12px } dd { margin: 0 }
table { border-collapse: collapse; width: 100%; margin: 0 0 12px }
.overview { background: var(--surface); border: 1px solid var(--line) }
th, td {
  text-align: left; vertical-align: top; padding: 6px 12px; border-top: 1px solid var(--line);
}
thead th { border-top: 0; color: var(--muted); font-size: 12px; font-weight: 500 }
th b { color: var(--accent) }
.n { text-align: right; white-space: nowrap }
small { display: block; color: var(--muted); font-size: 12px }
code {
  font: 13px/1.5 ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "Liberation Mono",
    monospace;
}
code span { display: inline-block; max-width: 100%; overflow-wrap: anywhere }
.bars { width: 34% } td.bars { padding-block: 11px }
.bars i {
  display: block; height: 10px; min-width: 2px; border-radius: 2px; background: var(--accent);
}
.after .bars i { background: var(--soft) } .failed .bars i { background: var(--act) }
.phases { display: flex } .phases i { border-radius: 0; min-width: 0 }
.p0 { background: light-dark(#7a5b95, #db90ff) !important }
.p1 { background: light-dark(#2551ef, #4286af) !important }
.p2 { background: light-dark(#12a17c, #1de8a9) !important }
.p3 { background: light-dark(#7d4100, #ffb512) !important }
.p4 { background: light-dark(#9986e0, #ddffff) !important }
.legend {
  display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 0; font-size: 12px; color: var(--muted);
  padding: 0 12px 12px;
}
.legend i {
  display: inline-block; width: 10px; height: 10px; margin-right: 6px; border-radius: 2px;
}
.checks { margin: 0 } .checks td:first-child { white-space: nowrap; width: 6rem }
@media (max-width: 640px) {
  th, td { padding: 6px } .wide, .steps .bars, .drills .bars, .legend { display: none }
}
@media print { section { break-inside: avoid } }
"""
