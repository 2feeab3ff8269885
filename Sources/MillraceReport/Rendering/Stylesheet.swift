/// The look of the page: system fonts, few lines, colours that can be told apart with any eyes, in
/// light, in dark and on paper.
///
/// - Source: colours after M. Okabe and K. Ito, "Color Universal Design", 2008; those of the dark
///   theme are lighter tints of them.
enum Stylesheet {
    static let text: StaticString = """
        :root {
          color-scheme: light dark;
          --page: #ffffff; --ink: #1b1f24; --soft: #5a636e; --faint: #8a939e;
          --line: #e7e9ec; --axis: #b8bfc7; --tint: #f6f7f8; --band: #0072b20d;
          --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #b8578f; --c4: #b98700; --c5: #3d9bd0;
        }
        @media (prefers-color-scheme: dark) { :root {
          --page: #14171a; --ink: #e6e8ea; --soft: #a3abb4; --faint: #7b848e;
          --line: #282d33; --axis: #4b535c; --tint: #1b1f23; --band: #56b4e912;
          --c0: #56b4e9; --c1: #f5894b; --c2: #35c295; --c3: #dd8dbb; --c4: #e6c04a; --c5: #9ccfee;
        } }
        @media print { :root {
          color-scheme: light;
          --page: #ffffff; --ink: #000000; --soft: #444444; --faint: #666666;
          --line: #dddddd; --axis: #999999; --tint: #f6f7f8; --band: #0072b20d;
          --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #b8578f; --c4: #b98700; --c5: #3d9bd0;
        } }
        * { box-sizing: border-box; }
        html { -webkit-text-size-adjust: 100%; }
        body {
          margin: 0 auto; padding: 3.5rem 2rem 4rem; max-width: 76rem;
          background: var(--page); color: var(--ink);
          font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
          font-variant-numeric: tabular-nums;
        }
        h1 { margin: 0; font-size: 2rem; line-height: 1.2; font-weight: 650;
          letter-spacing: -0.015em; overflow-wrap: anywhere; }
        h2 { margin: 0 0 .4rem; font-size: 1.25rem; font-weight: 650; letter-spacing: -0.01em;
          overflow-wrap: anywhere; }
        h3 { margin: 0 0 .15rem; font-size: .95rem; font-weight: 600; overflow-wrap: anywhere; }
        p { margin: 0 0 .8rem; max-width: 44rem; }
        .subtitle { margin: .4rem 0 0; color: var(--soft); overflow-wrap: anywhere; }
        .facts { display: grid; gap: 1.4rem 2rem; margin: 2.2rem 0 0; padding: 1.4rem 0;
          border: solid var(--line); border-width: 1px 0;
          grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); }
        .facts div { min-width: 0; }
        .facts dt { color: var(--soft); font-size: .82rem; }
        .facts dd { margin: 0; font-size: 1.3rem; font-weight: 600; line-height: 1.35;
          letter-spacing: -0.015em; overflow-wrap: anywhere; }
        .facts dd.note { font-size: .82rem; font-weight: 400; letter-spacing: 0;
          color: var(--faint); }
        section { margin-top: 3rem; }
        section > p { color: var(--soft); }
        .plots { display: grid; gap: 2.2rem 2.5rem; margin: 1.4rem 0;
          grid-template-columns: repeat(auto-fit, minmax(min(100%, 29rem), 1fr)); }
        .plots.squares { grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 24rem)); }
        figure { margin: 0; min-width: 0; position: relative; }
        figure.plot { max-width: 46rem; }
        figure.square { max-width: 22.5rem; }
        figure svg { display: block; width: 100%; height: auto; overflow: visible;
          touch-action: pan-y; }
        figure svg.area { overflow: hidden; }
        figcaption { margin-top: .4rem; color: var(--soft); font-size: .85rem; line-height: 1.45;
          max-width: 40rem; }
        .legend { display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; margin: 0 0 .35rem; padding: 0;
          list-style: none; color: var(--soft); font-size: .82rem; }
        .legend i { display: inline-block; margin-right: .4rem; vertical-align: middle; }
        .legend .dash { width: 1.1rem; border-top: 2.5px solid var(--c); }
        .legend .dash.ref { border-top: 1.5px dashed var(--c); }
        .legend .dot { width: .5rem; height: .5rem; border-radius: 50%; background: var(--c); }
        .c0 { --c: var(--c0); } .c1 { --c: var(--c1); } .c2 { --c: var(--c2); }
        .c3 { --c: var(--c3); } .c4 { --c: var(--c4); } .c5 { --c: var(--c5); }
        .ref { --c: var(--faint); }
        svg text { font-size: 11px; fill: var(--soft); }
        svg .label { fill: var(--soft); font-weight: 500; }
        svg .note { font-size: 10px; fill: var(--faint); }
        svg .none { font-size: 13px; fill: var(--faint); text-anchor: middle; }
        svg .end { text-anchor: end; }
        svg .middle { text-anchor: middle; }
        svg path { fill: none; }
        svg .grid { stroke: var(--line); stroke-width: 1; }
        svg .axis { stroke: var(--axis); stroke-width: 1; }
        svg .marker { stroke: var(--axis); stroke-width: 1; stroke-dasharray: 2 3; }
        svg .band { fill: var(--band); }
        svg .line, svg .step { stroke: var(--c); stroke-width: 1.75; stroke-linejoin: round;
          stroke-linecap: round; }
        svg .points { stroke: var(--c); stroke-width: 5; stroke-linecap: round; }
        svg .reference { stroke: var(--c); stroke-width: 1.25; stroke-dasharray: 5 4; }
        .reading { position: absolute; pointer-events: none; padding: .3rem .55rem;
          border: 1px solid var(--line); border-radius: 5px; background: var(--page);
          color: var(--ink); font-size: .8rem; line-height: 1.4; white-space: nowrap;
          box-shadow: 0 2px 10px #0000001f; }
        .reading b { font-weight: 600; }
        .reading i { display: inline-block; width: .5rem; height: .5rem; margin-right: .4rem;
          border-radius: 50%; background: var(--c); }
        svg .cursor { stroke: var(--faint); stroke-width: 1; }
        .table { position: relative; margin: 1.4rem 0; overflow-x: auto; }
        table { border-collapse: collapse; font-size: .9rem; }
        caption { padding: 0 0 .5rem; text-align: left; font-weight: 600; font-size: .95rem;
          white-space: nowrap; }
        th, td { padding: .38rem 1.6rem .38rem 0; text-align: left; vertical-align: baseline; }
        th:last-child, td:last-child { padding-right: 0; }
        th { color: var(--soft); font-weight: 500; font-size: .82rem; white-space: nowrap;
          border-bottom: 1px solid var(--axis); }
        th small { color: var(--faint); font-size: 1em; }
        td { border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
        .trailing { text-align: right; white-space: nowrap; }
        button { margin-left: .8rem; padding: .1rem .5rem; border: 1px solid var(--line);
          border-radius: 4px; background: none; color: var(--faint); font: inherit;
          font-size: .75rem; font-weight: 400; cursor: pointer; }
        button:hover { color: var(--ink); border-color: var(--axis); }
        details { margin: 1rem 0; }
        summary { cursor: pointer; color: var(--soft); font-size: .9rem; }
        pre { margin: .6rem 0 0; padding: 1rem 1.2rem; overflow-x: auto; border-radius: 6px;
          background: var(--tint); font: .82rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas,
          "DejaVu Sans Mono", monospace; }
        footer { margin-top: 4rem; padding-top: 1rem; border-top: 1px solid var(--line);
          color: var(--faint); font-size: .82rem; white-space: pre-line; }
        @media (max-width: 40rem) {
          body { padding: 2rem 1.1rem; } h1 { font-size: 1.6rem; }
          table { min-width: min(100%, 18rem); }
          caption { white-space: normal; max-width: calc(100vw - 2.2rem); }
        }
        @media print {
          body { padding: 0; max-width: none; font-size: 10pt; print-color-adjust: exact; }
          section { margin-top: 2rem; }
          .facts { grid-template-columns: repeat(auto-fit, minmax(7rem, 1fr)); gap: 1rem; }
          .plots, .plots.squares { grid-template-columns: 1fr 1fr; gap: 1.4rem; }
          figure > svg { padding-left: .6rem; }
          svg text, svg .note { font-size: 13px; }
          table { font-size: 8.5pt; }
          th { font-size: 8pt; }
          th, td { padding: .25rem .9rem .25rem 0; }
          td { overflow-wrap: break-word; }
          figure, table, p, .facts { break-inside: avoid; }
          h2, h3, section > p { break-after: avoid; }
          button, .reading { display: none; }
        }

        """
}
