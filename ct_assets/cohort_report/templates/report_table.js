// The table of series: sorted by a click on a head, filtered as one types. Browsers are slow with thousands of rows,
// so rows are shown as one scrolls to them.
function sortableTable(table, filter, count) {
  if (!table) return;
  const body = table.tBodies[0], outcomes = ["fail", "not measurable", "not evaluated", "pass", ""];
  const compare = new Intl.Collator("en", {numeric: true}).compare;
  const step = 150, frame = table.parentElement;
  let limit = step;
  const texts = new Map([...body.rows].map(row => [row, row.textContent.toLowerCase()]));

  function key(cell) {
    if (cell.dataset.key) return Number(cell.dataset.key);
    const text = cell.textContent.trim(), rank = outcomes.indexOf(text);
    return rank >= 0 ? String(rank) : text;
  }

  function sort(head) {
    // Numbers are most telling where they are large: the first click shows those first.
    const first = head.classList.contains("n") ? "descending" : "ascending";
    const second = first === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? second : first;
    table.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const keyed = [...body.rows].map(row => [key(row.cells[head.cellIndex]), row]);
    const by = typeof keyed[0]?.[0] === "number" ? (a, b) => a - b : compare;
    body.append(...keyed.sort(([a], [b]) => sign * by(a, b)).map(([, row]) => row));
    showFirst();
  }

  function show() {
    const wanted = filter.value.trim().toLowerCase();
    let found = 0;
    for (const row of body.rows) {
      const fits = texts.get(row).includes(wanted);
      found += fits;
      row.hidden = !fits || found > limit;
    }
    count.textContent = `${found.toLocaleString("en")} of ${texts.size.toLocaleString("en")} listed series`;
  }

  function showFirst() {
    limit = step;
    frame.scrollTop = 0;
    show();
  }

  table.querySelectorAll("th button").forEach(button => button.addEventListener("click", () => sort(button.parentElement)));
  filter.addEventListener("input", showFirst);
  frame.addEventListener("scroll", () => {
    if (frame.scrollTop + 2 * frame.clientHeight < frame.scrollHeight || limit >= texts.size) return;
    limit += step;
    show();
  });
  show();
}
