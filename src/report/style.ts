/** The style of a report: for print first, for narrow screens too (SPEC §15.8). @module */

export const STYLE: string = `
:root { color-scheme: light; --ink: #1b1b1b; --soft: #55606a; --rule: #cfd5da; --ground: #ffffff; --tint: #f4f6f7; --mark: #0b5c8a; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 78rem; background: var(--ground); color: var(--ink);
  font: 16px/1.55 Charter, "Bitstream Charter", "Source Serif 4", Georgia, "DejaVu Serif", serif; overflow-wrap: anywhere; }
h1, h2, h3, table, figcaption, .legend, nav, .facts, summary { font-family: "Source Sans 3", "Segoe UI", "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.4rem; margin: 3rem 0 .6rem; padding-top: .8rem; border-top: 2px solid var(--ink); }
h3 { font-size: 1.1rem; margin: 2rem 0 .4rem; }
p, ul.plain { max-width: 46rem; }
ul.plain { padding-left: 1.1rem; color: var(--soft); font-size: .92rem; }
.lead { font-size: 1.05rem; color: var(--soft); margin-top: 0; }
.warning { border-left: 4px solid #b34700; background: #fdf3ec; padding: .5rem .8rem; max-width: 46rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: 0; margin: 1rem 0; list-style: none; font-size: .95rem; }
a { color: var(--mark); }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); gap: .8rem; padding: 0; margin: 1.2rem 0; list-style: none; }
.facts li { border: 1px solid var(--rule); border-top: 3px solid var(--mark); padding: .6rem .8rem; }
.facts b { display: block; font-size: 1.45rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
.facts small { display: block; color: var(--soft); font-size: .84rem; line-height: 1.35; }
.facts b small { font-size: .84rem; font-weight: 400; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 25rem), 1fr)); gap: 1.2rem 1.6rem; margin: 1rem 0; }
.chart { margin: 0; max-width: 38rem; min-width: 0; display: flex; flex-direction: column; break-inside: avoid; }
.chart > svg { width: 100%; height: auto; display: block; }
.chart figcaption { order: -1; font-size: .95rem; margin-bottom: .3rem; min-height: 1.5em; }
.chart text { font-family: "Source Sans 3", "Segoe UI", "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; font-size: 13px; fill: var(--ink); }
.chart text.label { font-size: 13.5px; }
.chart text.note { font-size: 12px; paint-order: stroke; stroke: #fff; stroke-width: 3px; }
.grid { stroke: #e4e8eb; fill: none; }
.grid.strong { stroke: #b9c1c7; }
.rule { stroke: var(--ink); fill: none; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.line.thin { stroke-width: 1.2; }
.whisker { fill: none; stroke-width: 1.4; }
.legend { display: flex; flex-wrap: wrap; gap: .15rem 1.1rem; list-style: none; margin: .3rem 0 0; padding: 0 0 0 2.2rem; font-size: .86rem; }
.legend li { display: flex; align-items: center; gap: .45rem; }
.legend svg { flex: none; }
.table { overflow-x: auto; margin: 1rem 0; max-width: 100%; }
table { border-collapse: collapse; font-size: .87rem; line-height: 1.35; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
caption { text-align: left; font-weight: 600; padding: .2rem 0 .4rem; }
th, td { text-align: right; padding: .28rem .6rem; border-bottom: 1px solid var(--rule); vertical-align: top; }
thead th { border-bottom: 1.5px solid var(--ink); vertical-align: bottom; font-weight: 600; }
th:first-child { text-align: left; font-weight: 500; min-width: 7rem; }
#thefts td:nth-child(2), #thefts th:nth-child(2) { text-align: left; min-width: 15rem; }
thead th { hyphens: none; }
td small { color: var(--soft); white-space: nowrap; }
td { white-space: nowrap; }
@media (min-width: 60rem) { tbody th { white-space: nowrap; } }
#inversion td small, #thefts td small { display: block; }
#thefts td:nth-child(2), #thefts td:nth-child(5) { white-space: normal; }
tbody tr:nth-child(even) { background: var(--tint); }
details { margin: .4rem 0; }
summary { cursor: pointer; color: var(--mark); font-size: .92rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; font-size: .95rem; }
dt { color: var(--soft); } dd { margin: 0; }
code { font: .9em ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; } .legend { padding-left: .4rem; } body { padding-inline: .8rem; } }
@media print {
  @page { size: A4; margin: 16mm 14mm; }
  body { font-size: 10pt; padding: 0; max-width: none; }
  nav { display: none; }
  .table { overflow: visible; }
  table { font-size: 7.4pt; }
  th, td { padding: .15rem .3rem; }
  td, td small { white-space: normal; }
  thead { display: table-header-group; }
  tr, .chart, .facts li { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  th:first-child { min-width: 0; }
  #thefts td:nth-child(2), #thefts th:nth-child(2) { min-width: 7rem; }
  #thefts td:nth-child(5) code { overflow-wrap: anywhere; font-size: .8em; }
  details::details-content { content-visibility: visible; block-size: auto; }
  details > * { display: block; }
  summary { list-style: none; color: var(--ink); }
  .charts { grid-template-columns: 1fr 1fr; }
  a { color: inherit; text-decoration: none; }
  -webkit-print-color-adjust: exact; print-color-adjust: exact;
}
`
