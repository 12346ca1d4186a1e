/** How pages look: a sheet in each of them, because they load nothing. Light and dark, for a phone as for a desk. */
export const style = `
:root { color-scheme: light dark; --ink: #1c2430; --soft: #566273; --line: #d8dee6; --page: #fff; --raised: #f4f6f9; --link: #0b57b0; --warn: #8a4b00 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e9f0; --soft: #9aa7b8; --line: #323b47; --page: #12161c; --raised: #1b212a; --link: #7db4ff; --warn: #f0b35c }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink); font: 1rem/1.55 system-ui, "DejaVu Sans", sans-serif; overflow-wrap: anywhere }
header, main, footer { max-width: 64rem; margin: 0 auto; padding: 0 1.25rem }
header { padding-top: 1.25rem; font-size: .95rem }
header ol { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .25rem .5rem }
header li + li::before { content: "/"; color: var(--soft); margin-right: .5rem }
main { padding-bottom: 1rem }
footer::before { content: ""; display: block; border-top: 1px solid var(--line); margin-bottom: 1rem }
footer { padding-top: 1rem; padding-bottom: 2.5rem; color: var(--soft); font-size: .875rem }
h1 { font-size: 1.75rem; line-height: 1.25; margin: .75rem 0 .25rem; font-weight: 650 }
h1 small { font-weight: 400; color: var(--soft); font-size: 1.1rem }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .25rem; font-weight: 650 }
p { margin: .5rem 0 }
a { color: var(--link); text-underline-offset: .15em }
code, pre, .digits { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .9em }
pre code { font-size: 1em }
pre { background: var(--raised); border: 1px solid var(--line); border-radius: .4rem; padding: .65rem .85rem; margin: .25rem 0 .75rem; overflow-x: auto; white-space: pre-wrap }
pre.command { user-select: all }
.soft { color: var(--soft) }
.warn { color: var(--warn); border-left: .25rem solid currentColor; padding-left: .75rem }
.scroll { overflow-x: auto; position: relative }
table { border-collapse: collapse; width: 100%; font-size: .95rem }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
th, td { text-align: left; vertical-align: top; padding: .45rem 1.5rem .45rem 0; border-bottom: 1px solid var(--line) }
thead th { color: var(--soft); font-weight: 500; white-space: nowrap }
tbody th { font-weight: 500; width: 30%; min-width: 9rem }
th:last-child, td:last-child { padding-right: 0 }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
td { overflow-wrap: break-word }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.5rem; margin: .75rem 0 }
dt { color: var(--soft) }
dd { margin: 0 }
ul.tree, ul.tree ul { list-style: none; margin: 0; padding-left: 1.1rem; border-left: 1px solid var(--line) }
ul.tree { padding-left: .9rem }
summary { cursor: pointer; color: var(--link) }
@media (max-width: 40rem) {
  h1 { font-size: 1.4rem }
  dl { grid-template-columns: 1fr; gap: 0 }
  dd { margin-bottom: .5rem }
  td, th { white-space: normal }
  table { font-size: .875rem }
  th, td { padding-right: 1rem }
}
`;
