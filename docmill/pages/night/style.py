"""How a digest looks: light and dark, on a wide screen, on a phone and on paper."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #586273; --line: #d5dbe4; --paper: #fff; --card: #f4f6f9;
  --this: #1f66b8; --night: #a9c3e2; --bad: #b3261e; --good: #1b6e3c; --warm: #fdf0ee }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf2; --soft: #a4afbe; --line: #3a4352; --paper: #14181f;
  --card: #1e252f; --this: #6aa9f0; --night: #3c5b82; --bad: #ff8a7a; --good: #74d39a; --warm: #2e1f20 } }
* { box-sizing: border-box }
html { -webkit-text-size-adjust: 100% }
body { font: 16px/1.55 system-ui,
  "Apple SD Gothic Neo", "Malgun Gothic", "Noto Sans CJK KR", "Noto Sans KR", sans-serif;
  color: var(--ink); background: var(--paper); margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 62rem;
  overflow-wrap: break-word }
bdi, code, pre, .detail, .summary p { overflow-wrap: anywhere }
:lang(ko) { word-break: keep-all }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .3rem } h2 { font-size: 1.2rem; margin: 2.6rem 0 .3rem }
h3 { font-size: 1rem; margin: 0 0 .2rem } p { margin: .2rem 0 .8rem } .soft { color: var(--soft) }
.lead { font-size: 1.1rem; margin-bottom: .1rem }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .8rem; margin: 1.4rem 0;
  padding: 0; list-style: none }
.tiles li { background: var(--card); border-radius: 8px; padding: .7rem 1rem }
.tiles b { display: block; font-size: 1.55rem; line-height: 1.2; font-variant-numeric: tabular-nums }
.tiles span { display: block } .tiles .soft { font-size: .85rem }
.bad { color: var(--bad) } .good { color: var(--good) } .tiles li.bad { background: var(--warm) }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; margin: .4rem 0 }
th, td { padding: .4rem .9rem .4rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line) }
th { font-weight: 600; font-size: .85rem; color: var(--soft) } tbody th { font-size: 1rem; color: var(--ink) }
td.number, th.number { text-align: right; white-space: nowrap } td.picture { width: 160px }
code, pre { font: .86em/1.5 ui-monospace, "DejaVu Sans Mono", "Noto Sans Mono CJK KR", monospace }
code { background: var(--card); border-radius: 4px; padding: .1rem .35rem; word-break: break-word }
pre { background: var(--card); border-radius: 6px; padding: .7rem .9rem; white-space: pre-wrap }
.detail { display: block; font-size: .86rem; color: var(--soft) }
.summary { background: var(--card); border-radius: 8px; padding: .8rem 1.1rem; margin: .7rem 0 }
.summary p { margin: 0 } .arrow { color: var(--soft) }
svg { display: block; max-width: 100%; height: auto } svg text { font-size: 12px; fill: var(--ink);
  paint-order: stroke; stroke: var(--paper); stroke-width: 3px; stroke-linejoin: round }
svg .tick { text-anchor: middle } svg text.soft { fill: var(--soft) } svg text.bad { fill: var(--bad) }
svg .night { fill: var(--night) } svg .this { fill: var(--this) } svg .track { fill: var(--card) }
svg .axis { stroke: var(--line) } svg .median { stroke: var(--soft); stroke-dasharray: 5 4 }
svg .mark { stroke: var(--ink); stroke-width: 2 } .narrow { display: none }
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: .8rem }
@media screen and (max-width: 46rem) { body { padding: 1.2rem 1rem 3rem } h1 { font-size: 1.4rem }
  .wide { display: none }
  .narrow { display: block } .tiles { grid-template-columns: 1fr 1fr; gap: .6rem } .tiles b { font-size: 1.3rem }
  table.stacked thead { position: absolute; left: -9999px } table.stacked tr { display: block;
  border-bottom: 1px solid var(--line); padding: .5rem 0 } table.stacked td, table.stacked tbody th { border: 0;
  padding: .1rem 0; text-align: left; white-space: normal } table.stacked tbody th { display: block }
  table.stacked td { display: inline-block; margin-right: .9rem; max-width: 100% }
  table.stacked td.long { display: block }
  table.stacked td.picture { display: block; width: auto } table.stacked td.spare { display: none }
  table.stacked td[data-name]::before { content: attr(data-name) " "; color: var(--soft); font-size: .85rem } }
@media print { :root { color-scheme: light; --ink: #000; --soft: #444; --line: #bbb; --paper: #fff; --card: #f1f3f6;
  --this: #1f66b8; --night: #a9c3e2; --bad: #9c1c15; --good: #14532d; --warm: #fdf0ee } body { padding: 0;
  max-width: none; font-size: 11pt; -webkit-print-color-adjust: exact; print-color-adjust: exact }
  h2 { break-after: avoid; margin-top: 1.4rem } tr, .summary, .tiles li, figure { break-inside: avoid } }
td code { display: block; margin-top: .3rem; padding: .3rem .5rem }
figure { margin: .6rem 0 }
"""
