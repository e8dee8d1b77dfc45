/// What the page about a grid needs beside the style sheet of all reports.
enum GridStyle {
  static let text = """
    body { max-width: 1320px; }
    .results { margin: 0 0 28px; padding: 14px 18px 12px; background: var(--card); border: 1px solid var(--rule);
      border-radius: 12px; }
    .results figcaption { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 8px; margin-bottom: 6px; }
    .results figcaption small { color: var(--muted); font-size: 14px; }
    .copies { margin-left: auto; display: flex; flex-wrap: wrap; gap: 6px; }
    button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; }
    button:focus-visible, a:focus-visible { outline: 2px solid var(--note); outline-offset: 2px; border-radius: 3px; }
    .copy { padding: 1px 9px; border: 1px solid var(--rule); border-radius: 6px; color: var(--muted); font-size: 13px; }
    .copy:hover { color: var(--text); border-color: var(--muted); }
    .sortable th, .sortable td { white-space: nowrap; }
    .sortable thead th { vertical-align: bottom; }
    .results .plain th, .results .plain td { padding-right: 12px; }
    .sortable thead th[aria-sort=ascending] button::after { content: " ↑"; }
    .sortable thead th[aria-sort=descending] button::after { content: " ↓"; }
    .sortable tbody th[scope=row], .sortable thead th:first-child, .sortable tfoot th { position: sticky; left: 0;
      background: var(--card); }
    .sortable td a { color: inherit; text-decoration: none; }
    .sortable td a:hover { text-decoration: underline; text-decoration-thickness: 1px; }
    .sortable td small { color: var(--muted); font-size: 12.5px; }
    .sortable .best a { font-weight: 700; }
    .sortable .second a { text-decoration: underline; text-decoration-thickness: 1.5px; text-underline-offset: 3px; }
    .sortable .missing { color: var(--muted); }
    .sortable tfoot th, .sortable tfoot td { font-weight: 400; color: var(--muted); border-top: 1px solid var(--muted); }
    .slice { margin-top: 30px; font-size: 18px; }
    .runs { margin: 0 0 14px; padding-left: 20px; }
    .runs pre { margin: 6px 0 10px; font-size: 14px; }
    .runs a { color: var(--note); }
    .plain .words { text-align: left; }
    .plain .word { white-space: nowrap; }
    .bar { stroke-width: 1.4; }
    .bar.s0 { stroke: var(--s0); } .bar.s1 { stroke: var(--s1); } .bar.s2 { stroke: var(--s2); } .bar.s3 { stroke: var(--s3); }
    .bar.s4 { stroke: var(--s4); } .bar.s5 { stroke: var(--s5); } .bar.s6 { stroke: var(--s6); }
    .plot text.number { fill: #1c2024; }
    .plot .empty { fill: var(--code); }
    .charts .broad { grid-column: 1 / -1; }
    .charts .broad .plot > svg { max-width: 780px; }
    @media (max-width: 640px) {
      .results { padding: 12px 12px 8px; }
      .copies { margin-left: 0; flex: 1 0 100%; }
      .sortable tbody th[scope=row] { max-width: 40vw; white-space: normal; overflow-wrap: normal; }
      .heat .plot { overflow-x: auto; }
      .heat .plot > svg { min-width: 600px; }
      .plot .number, .heat .plot text { font-size: 12px; }
    }
    @media print { .copies { display: none; } .results .plain th, .results .plain td { padding-right: 8px; } }
    """
}
