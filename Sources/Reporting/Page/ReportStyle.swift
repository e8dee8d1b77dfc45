/// The page's style sheet. Colours are variables, so that curves follow light and dark too; paper is always light.
enum ReportStyle {
  static let text = colors + layout + scores + curves + images + details + media

  private static let colors = """
    :root {
      --page: #f7f7f5; --card: #ffffff; --text: #1c2024; --muted: #5f676f; --rule: #e2e3e0; --code: #f0f0ed;
      --good: #11693d; --good-bg: #e5f4ea; --bad: #a32014; --bad-bg: #fdebe8; --warn: #7d4e00; --warn-bg: #fdf2d8;
      --note: #23528c; --note-bg: #e8f0fa;
      --s0: #0068a8; --s1: #c8500a; --s2: #00835f; --s3: #8a4fa3; --s4: #a8780a; --s5: #3c4650; --s6: #b0417c;
      --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "Liberation Sans", Arial, sans-serif;
      --mono: ui-monospace, "SF Mono", "Cascadia Code", Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace;
    }
    @media screen and (prefers-color-scheme: dark) {
      :root {
        --page: #14171a; --card: #1c2024; --text: #e8eaec; --muted: #a0a8b0; --rule: #32383e; --code: #262b30;
        --good: #6fd49a; --good-bg: #14301f; --bad: #ff9a8c; --bad-bg: #3b1a16; --warn: #f2c464; --warn-bg: #362a10;
        --note: #8fbdf5; --note-bg: #16283f;
        --s0: #62b5f0; --s1: #ff9257; --s2: #45d1a4; --s3: #cb98e4; --s4: #e3bb4e; --s5: #c3cad1; --s6: #f08fbf;
      }
    }

    """

  private static let layout = """
    * { box-sizing: border-box; }
    html { -webkit-text-size-adjust: 100%; }
    body { margin: 0 auto; max-width: 1120px; padding: 48px 32px 64px; background: var(--page); color: var(--text);
      font: 16px/1.55 var(--sans); font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
    header { margin-bottom: 28px; }
    .eyebrow { margin: 0 0 8px; color: var(--muted); font-size: 14px; }
    .brand { color: var(--text); font-weight: 650; letter-spacing: .01em; margin-right: .5em; }
    h1 { margin: 0; font-size: 34px; line-height: 1.18; font-weight: 680; letter-spacing: -.018em; text-wrap: balance; }
    .subtitle { margin: 10px 0 0; color: var(--muted); }
    section { margin-top: 48px; }
    h2 { margin: 0 0 14px; font-size: 21px; line-height: 1.3; font-weight: 650; letter-spacing: -.01em; }
    h3 { margin: 22px 0 10px; font-size: 16px; font-weight: 620; }
    .lead, .note { margin: -6px 0 16px; color: var(--muted); max-width: 78ch; text-wrap: pretty; }
    .note { margin: 12px 0 0; font-size: 14px; }
    code { font: .9em var(--mono); }
    pre { margin: 0 0 16px; padding: 14px 16px; border-radius: 8px; background: var(--code); overflow-x: auto; white-space: pre-wrap; }
    footer { margin-top: 56px; padding-top: 16px; border-top: 1px solid var(--rule); color: var(--muted); font-size: 14px; }
    .verdict { margin-top: 0; padding: 22px 26px 24px; border-radius: 12px; background: var(--note-bg); }
    .tone { margin: 0 0 4px; font-size: 14px; font-weight: 650; color: var(--note); }
    .tone span { display: inline-block; min-width: 1.1em; }
    .sentence { margin: 0; font-size: 24px; line-height: 1.35; font-weight: 560; letter-spacing: -.008em; text-wrap: pretty; }
    .verdict.good { background: var(--good-bg); } .verdict.good .tone { color: var(--good); }
    .verdict.warning { background: var(--warn-bg); } .verdict.warning .tone { color: var(--warn); }
    .verdict.bad { background: var(--bad-bg); } .verdict.bad .tone { color: var(--bad); }
    .hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

    """

  private static let scores = """
    table { border-collapse: collapse; }
    .scores { width: 100%; background: var(--card); border: 1px solid var(--rule); border-radius: 12px; border-spacing: 0;
      border-collapse: separate; overflow: hidden; }
    .scores th, .scores td { padding: 16px 20px; border-top: 1px solid var(--rule); vertical-align: top; text-align: right; }
    .scores thead th, .scores thead td { border-top: 0; padding: 12px 20px 10px; color: var(--muted); font-size: 14px; font-weight: 560; }
    .scores th[scope=row] { width: 44%; text-align: left; font-weight: 400; }
    .scores abbr { font-weight: 680; margin-right: .35em; text-decoration: none; }
    .scores small { display: block; margin-top: 2px; color: var(--muted); font-size: 13px; line-height: 1.45; font-weight: 400; }
    .scores b { font-size: 30px; line-height: 1.1; font-weight: 620; letter-spacing: -.02em; }
    .scores td { white-space: nowrap; }
    .scores td small { margin-top: 5px; }
    .scores td small + small { margin-top: 0; }
    .scores .better b, .scores .better small { color: var(--good); }
    .scores .worse b, .scores .worse small { color: var(--bad); }
    .risks td b { font-size: 19px; }
    .scores .group th { text-align: left; padding: 14px 20px 8px; color: var(--muted); font-size: 14px; font-weight: 560;
      background: var(--page); }

    """

  private static let curves = """
    .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 16px; }
    .charts figure { margin: 0; padding: 16px 16px 12px; min-width: 0; background: var(--card); border: 1px solid var(--rule);
      border-radius: 12px; }
    .charts figcaption { font-weight: 600; }
    .legend { display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 4px 0 8px; padding: 0; list-style: none; font-size: 13px;
      color: var(--muted); }
    .legend svg { width: 26px; height: 10px; margin-right: 6px; vertical-align: middle; }
    .plot > svg { display: block; width: 100%; height: auto; }
    .plot .live { display: none; }
    .plot.interactive > svg { display: none; }
    .plot.interactive .live { display: block; min-height: 280px; }
    .plot text { fill: var(--muted); font: 12px var(--sans); font-variant-numeric: tabular-nums; }
    .grid { stroke: var(--rule); stroke-width: 1; }
    .base, .tick { stroke: var(--muted); stroke-width: 1; }
    .line { fill: none; stroke-width: 2.2; stroke-linejoin: round; stroke-linecap: round; }
    .line.s0 { stroke: var(--s0); } .dot.s0 { fill: var(--s0); }
    .line.s1 { stroke: var(--s1); stroke-dasharray: 7 4; } .dot.s1 { fill: var(--s1); }
    .line.s2 { stroke: var(--s2); stroke-dasharray: 1.5 4; } .dot.s2 { fill: var(--s2); }
    .line.s3 { stroke: var(--s3); stroke-dasharray: 9 4 2 4; } .dot.s3 { fill: var(--s3); }
    .line.s4 { stroke: var(--s4); stroke-dasharray: 12 5; } .dot.s4 { fill: var(--s4); }
    .line.s5 { stroke: var(--s5); } .dot.s5 { fill: var(--s5); }
    .line.s6 { stroke: var(--s6); stroke-dasharray: 7 4; } .dot.s6 { fill: var(--s6); }
    .charts figcaption small { color: var(--muted); font-weight: 400; }
    .drawings { margin-top: 20px; }
    .area { stroke-width: 1.6; fill-opacity: .28; stroke-linejoin: round; }
    .area.s0 { stroke: var(--s0); fill: var(--s0); } .area.s1 { stroke: var(--s1); fill: var(--s1); }
    .area.s2 { stroke: var(--s2); fill: var(--s2); }
    .threshold { stroke: var(--text); stroke-width: 1.4; stroke-dasharray: 4 3; }
    polygon.poisoned { fill: var(--text); stroke: var(--card); stroke-width: .8; }
    .swatch { display: inline-block; width: 10px; height: 10px; margin-right: 6px; border-radius: 50%; }
    .swatch.s0 { background: var(--s0); } .swatch.s1 { background: var(--s1); } .swatch.s2 { background: var(--s2); }
    .swatch.poisoned { background: var(--text); border-radius: 0; clip-path: polygon(50% 0, 0 100%, 100% 100%); }
    h3 small.note { margin: 0 0 0 .4em; font-weight: 400; }

    """

  private static let images = """
    .key { display: flex; flex-wrap: wrap; gap: 6px 20px; margin: 0 0 16px; padding: 0; list-style: none; font-size: 14px;
      color: var(--muted); }
    .cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 334px), 1fr)); gap: 16px; }
    .card { padding: 14px 16px 12px; background: var(--card); border: 1px solid var(--rule); border-radius: 12px; min-width: 0;
      break-inside: avoid; }
    .card h3 { margin: 0 0 10px; }
    .card h3 small { color: var(--muted); font-weight: 400; margin-left: .3em; }
    .pictures { display: flex; flex-wrap: wrap; gap: 8px; }
    .pictures figure { margin: 0; max-width: 100%; }
    .pictures img { display: block; max-width: 100%; height: auto; border-radius: 3px; background: var(--code); }
    .pixels { image-rendering: pixelated; image-rendering: crisp-edges; image-rendering: pixelated; }
    .pictures figcaption { margin-top: 4px; color: var(--muted); font-size: 13px; text-align: center; }
    .lost { display: grid; place-items: center; width: 96px; height: 96px; padding: 8px; border: 1px dashed var(--rule); border-radius: 3px;
      color: var(--muted); font-size: 13px; line-height: 1.3; text-align: center; }
    .answers { width: 100%; table-layout: fixed; margin-top: 10px; font-size: 13px; }
    .answers th, .answers td { padding: 6px 8px 5px 0; border-top: 1px solid var(--rule);
      text-align: left; vertical-align: top; line-height: 1.6;
      font-weight: 400; }
    .answers thead th, .answers thead td { border-top: 0; padding-bottom: 2px; color: var(--muted); }
    .answers th[scope=row] { color: var(--muted); }
    .answers td small { display: block; padding-left: 7px; color: var(--muted); font-size: 12px; }
    .answers thead td { width: 4.4em; }
    .chip { display: inline-block; padding: 0 7px; border-radius: 5px; font-size: 13px; line-height: 1.6; font-weight: 560; }
    .chip.right { color: var(--good); background: var(--good-bg); }
    .chip.wrong { color: var(--warn); background: var(--warn-bg); }
    .chip.target { color: var(--bad); background: var(--bad-bg); }

    """

  private static let details = """
    .facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 0 48px; }
    dl { margin: 0; }
    dl div { display: grid; grid-template-columns: 9.5em 1fr; gap: 0 16px; padding: 7px 0; border-top: 1px solid var(--rule); }
    dt { color: var(--muted); }
    dd { margin: 0; }
    .environment { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 0 48px; }
    .wide { overflow-x: auto; }
    .plain { width: 100%; }
    .plain th, .plain td { padding: 7px 16px 7px 0; border-top: 1px solid var(--rule); text-align: right; font-weight: 400;
      vertical-align: top; }
    .plain th:first-child { text-align: left; }
    .plain th:last-child, .plain td:last-child { padding-right: 0; }
    .plain thead th { border-top: 0; color: var(--muted); font-size: 14px; }
    .plain tfoot th, .plain tfoot td { font-weight: 620; }
    .settings td { text-align: left; }
    .settings th { width: 38%; }
    details { border-top: 1px solid var(--rule); }
    details:last-of-type { border-bottom: 1px solid var(--rule); }
    summary { padding: 10px 0; cursor: pointer; }
    summary strong { font-weight: 600; }
    summary small { margin-left: .4em; color: var(--muted); font-size: 14px; }
    summary:focus-visible { outline: 2px solid var(--note); outline-offset: 2px; border-radius: 3px; }
    details > p { margin: 0 0 14px; max-width: 72ch; color: var(--muted); }
    details > .wide { margin-bottom: 14px; }
    .flag { color: var(--warn); }

    """

  private static let media = """
    @media (max-width: 640px) {
      body { padding: 28px 16px 40px; font-size: 15px; }
      h1 { font-size: 26px; }
      section { margin-top: 36px; }
      .verdict { margin-top: 0; padding: 16px 18px 18px; }
      .sentence { font-size: 19px; }
      .scores thead { display: none; }
      .scores, .scores tbody { display: block; }
      .scores tr { display: flex; flex-wrap: wrap; padding: 12px 16px 14px; gap: 8px 20px; border-top: 1px solid var(--rule); }
      .scores tbody:first-of-type tr:first-child { border-top: 0; }
      .scores th, .scores td, .scores th[scope=row] { display: block; width: auto; padding: 0; border: 0; text-align: left; }
      .scores th[scope=row] { flex: 1 0 100%; }
      .scores td { flex: 1 1 84px; }
      .scores td[data-column]::before { content: attr(data-column); display: block; color: var(--muted); font-size: 13px; }
      .scores b { font-size: 23px; }
      .scores .group { background: var(--page); padding: 10px 16px 8px; }
      .scores .group th { padding: 0; }
      .charts figure { padding: 12px 12px 8px; }
      .plot text { font-size: 15px; }
      dl div { grid-template-columns: 7.5em 1fr; }
    }
    @media print {
      @page { margin: 14mm; }
      .cards { grid-template-columns: repeat(2, 1fr); gap: 10pt; }
      body { max-width: none; padding: 0; background: #fff; font-size: 10.5pt; }
      section { margin-top: 24pt; }
      figure, .card, tr, dl div, .verdict, .lead { break-inside: avoid; }
      h2, h3, .lead, .key { break-after: avoid; }
      .verdict, .chip { -webkit-print-color-adjust: exact; print-color-adjust: exact; border: 1px solid var(--rule); }
      .plot.interactive > svg { display: block; }
      .plot.interactive .live { display: none; }
      .charts { grid-template-columns: 1fr 1fr; }
    }
    """
}
