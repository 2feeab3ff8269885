/// What the page can do where scripts run: read values off a plot with the pointer, and copy a table.
///
/// Without it nothing is missing but these two. Texts are set as text, never as markup.
enum Script {
    static let text: StaticString = """
        for (const svg of document.querySelectorAll('figure > svg')) {
          const figure = svg.parentElement;
          const area = svg.querySelector('.area');
          const series = [...area.querySelectorAll('path')].filter(p => p.dataset.values)
            .reverse().map(p => ({
              name: p.dataset.name, colour: p.classList[1],
              points: p.dataset.values.split(';').map(v => v.split(' ')) }));
          if (!series.length) continue;
          const line = document.createElementNS('http://www.w3.org/2000/svg', 'path');
          line.setAttribute('class', 'cursor');
          const box = document.createElement('div');
          box.className = 'reading';
          const hide = () => { line.remove(); box.remove(); };
          svg.addEventListener('pointerleave', hide);
          svg.addEventListener('pointermove', event => {
            const frame = svg.getBoundingClientRect();
            const scale = svg.viewBox.baseVal.width / frame.width;
            const x = (event.clientX - frame.left) * scale;
            const inner = area.viewBox.baseVal;
            if (x < inner.x - 8 || x > inner.x + inner.width + 8) return hide();
            const near = series.map(s => ({ s, p: s.points.reduce((a, b) =>
              Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a) }));
            const at = near.reduce((a, b) =>
              Math.abs(b.p[0] - x) < Math.abs(a.p[0] - x) ? b : a).p;
            line.setAttribute('d', `M${at[0]} ${inner.y + 2}V${inner.y + inner.height - 2}`);
            svg.append(line);
            box.replaceChildren();
            const head = document.createElement('div');
            head.textContent = at[2];
            box.append(head);
            for (const { s, p } of near.filter(n => Math.abs(n.p[0] - at[0]) < 4)) {
              const row = document.createElement('div');
              const dot = document.createElement('i');
              dot.className = s.colour;
              const value = document.createElement('b');
              value.textContent = p[3];
              row.append(dot, s.name ? s.name + ' ' : '', value);
              box.append(row);
            }
            figure.append(box);
            const left = at[0] / scale;
            const flip = left + box.offsetWidth + 14 > figure.clientWidth;
            box.style.left = (flip ? left - box.offsetWidth - 10 : left + 10) + 'px';
            box.style.top = (figure.querySelector('svg').getBoundingClientRect().top
              - figure.getBoundingClientRect().top + (inner.y + 6) / scale) + 'px';
          });
        }
        for (const table of document.querySelectorAll('table')) {
          if (!navigator.clipboard || !table.caption) continue;
          const button = document.createElement('button');
          button.textContent = 'Copy';
          button.addEventListener('click', async () => {
            const rows = [...table.rows].map(r => [...r.cells].map(c => c.textContent).join('\\t'));
            await navigator.clipboard.writeText(rows.join('\\n'));
            button.textContent = 'Copied';
            setTimeout(() => { button.textContent = 'Copy'; }, 1500);
          });
          table.caption.append(button);
        }

        """
}
