"use strict";
(() => {
const page = JSON.parse(document.getElementById("plots").textContent);
{% include "report_draw.js" %}
{% include "report_explorer.js" %}
{% include "report_table.js" %}

sortableTable(document.getElementById("series-table"), document.getElementById("filter"), document.getElementById("filter-count"));
const jobs = Object.entries(page.figures).map(([id, figure]) => () => draw(document.getElementById(id), figure));
if (page.explorer) jobs.push(explorer(page.explorer));
drawInTurn(jobs);
})();
