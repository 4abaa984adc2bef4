/** The page's style: dark on light, one column of at most 70 rem, tables with horizontal lines only, quiet in print. */
export const STYLE = `
:root { color-scheme: light; --ink: #1d2329; --soft: #5b6672; --line: #d9dee3; --faint: #f4f6f8; --bar: #dbe8f4; --differs: #fff6dd; }
* { box-sizing: border-box; }
html { font-size: 16px; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: #fff; color: var(--ink); line-height: 1.5;
  font-family: system-ui, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "DejaVu Sans", Arial, sans-serif; }
main, header, footer { max-width: 70rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 2.5rem; }
h1 { font-size: 1.9rem; line-height: 1.2; letter-spacing: -0.01em; margin: 0 0 .35rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 2.75rem 0 .4rem; padding-top: .9rem; border-top: 2px solid var(--ink); }
h3 { font-size: 1rem; margin: 1.5rem 0 .4rem; }
p { margin: 0 0 .9rem; max-width: 46rem; }
.note, header p, footer { color: var(--soft); font-size: .9rem; }
nav { font-size: .9rem; }
nav a { color: #2b5c8a; text-decoration: none; margin-right: .8rem; white-space: nowrap; }
nav a:hover { text-decoration: underline; }
.scroll { overflow-x: auto; margin: 0 0 1rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .32rem .8rem; text-align: right; border-bottom: 1px solid var(--line); vertical-align: baseline; white-space: nowrap; }
th { font-weight: 600; }
thead th { color: var(--soft); border-bottom: 1px solid var(--ink); vertical-align: bottom; }
tbody tr:last-child > * { border-bottom-color: var(--ink); }
th:first-child, td.text, th.text { text-align: left; }
thead th:first-child, tbody th { padding-left: .2rem; }
td:last-child, th:last-child { padding-right: .2rem; }
table.dense th, table.dense td { padding-left: .55rem; padding-right: .55rem; }
tr.group > * { border-top: 1px solid #9aa4ae; }
tr.total > * { font-weight: 600; }
tr.spread td, td.spread, th.spread { font-style: italic; }
td.bar { background: linear-gradient(var(--bar), var(--bar)) no-repeat 0 0 / var(--share) 100%; min-width: 7.5rem; }
table.dense td.bar { min-width: 6rem; }
.run { white-space: nowrap; }
.chip { display: inline-block; width: .7rem; height: .7rem; border-radius: 2px; margin-right: .45rem; vertical-align: -.03rem; }
code, .code { font-family: ui-monospace, "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .92em; }
figure { margin: 0 0 1.5rem; }
figcaption { color: var(--soft); font-size: .9rem; max-width: 46rem; margin-top: .35rem; }
figure .scroll { margin: 0; }
figure svg { display: block; max-width: 100%; height: auto; }
.facts { columns: 2; column-gap: 2.5rem; }
.facts section { break-inside: avoid; margin-bottom: 1.4rem; }
.facts h3 { margin-top: 0; }
.facts table, table.facts-table { width: 100%; }
.facts td, .facts th, .facts-table td, .facts-table th { white-space: normal; font-weight: 400; text-align: left; font-size: .84rem; padding: .18rem .5rem .18rem 0; vertical-align: top; }
.facts th, .facts-table tbody th { color: var(--soft); width: 46%; overflow-wrap: anywhere; }
.facts-table { table-layout: fixed; min-width: 44rem; }
.facts-table th:first-child { width: 15rem; }
.facts td, .facts-table td { overflow-wrap: anywhere; }
.facts-table tr.differs > * { background: var(--differs); }
.facts-table tr.section > th { color: var(--ink); font-weight: 600; padding-top: .8rem; }
footer { border-top: 1px solid var(--line); margin-top: 3rem; padding-top: 1rem; padding-bottom: 3rem; }
@media screen and (max-width: 48rem) {
  main, header, footer { padding-left: 1rem; padding-right: 1rem; }
  header { padding-top: 1.5rem; }
  .facts { columns: 1; }
  figure .scroll svg { max-width: none; width: 44rem; }
}
@media print {
  @page { size: A4; margin: 14mm 13mm; }
  html { font-size: 11.5px; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  main, header, footer { max-width: none; padding: 0; }
  nav { display: none; }
  h2 { margin-top: 1.6rem; }
  h2, h3 { break-after: avoid; }
  figure, tr, .facts section, table:not(.dense):not(.facts-table) { break-inside: avoid; }
  thead { display: table-header-group; }
  .scroll { overflow: visible; }
  figure .scroll { margin: 0; }
figure svg { max-height: 235mm; }
  th, td { padding: .28rem .55rem; }
  table.dense { font-size: .85rem; }
  table.dense th, table.dense td { padding: .24rem .32rem; }
  td.bar, table.dense td.bar { min-width: 5rem; }
}
`.trim();
