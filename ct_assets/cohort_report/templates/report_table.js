// The table of series: sorted by a click on a head, filtered as one types.
function sortableTable(table, filter, count) {
  if (!table) return;
  const body = table.tBodies[0], outcomes = ["fail", "not measurable", "not evaluated", "pass", ""];
  const compare = new Intl.Collator("en", {numeric: true}).compare;
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
  }

  function show() {
    const wanted = filter.value.trim().toLowerCase();
    let shown = 0;
    for (const [row, text] of texts) {
      row.hidden = !text.includes(wanted);
      shown += !row.hidden;
    }
    count.textContent = wanted ? `${shown.toLocaleString("en")} of ${texts.size.toLocaleString("en")} listed series` : "";
  }

  table.querySelectorAll("th button").forEach(button => button.addEventListener("click", () => sort(button.parentElement)));
  filter.addEventListener("input", show);
}
