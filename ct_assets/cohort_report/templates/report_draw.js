// Figures: the page ships values, boxes and limits; traces are built here, and a point knows its series by place.
const INK = "#1c2329", LIMIT = "#9c1c10", OUTSIDE = "#d01c1c", DENSE = 500, GOLDEN_RATIO = 0.6180339887498949;
const options = {responsive: true, displaylogo: false, modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]]};
const areas = [];

const escaped = text => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const lines = text => escaped(text).replaceAll("\n", "<br>");

function address(template, place) {
  const study = page.series.study[place], series = page.series.series[place];
  if (!template || (template.includes("{study}") && !study)) return null;
  return template.replaceAll("{study}", encodeURIComponent(study)).replaceAll("{series}", encodeURIComponent(series));
}

function openSeries(place, ownPage) {
  const viewer = address(page.links.viewer, place), own = address(page.links.page, place);
  const target = ownPage ? own || viewer : viewer || own;
  if (target) window.open(target, "_blank", "noopener");
}

function isOutside(value, [lower, upper]) {
  return (lower !== null && value < lower) || (upper !== null && value > upper);
}

function points(group, rank, unit) {
  const places = [], values = [];
  group.values.forEach((value, k) => {
    if (value !== null) { places.push(group.series[k]); values.push(value); }
  });
  const outside = values.map(value => isOutside(value, group.limits)), dense = values.length > DENSE;
  return {
    type: "scatter", mode: "markers", name: lines(group.name), customdata: places, y: values,
    // Multiples of the golden ratio spread any number of points evenly, the same every time.
    x: values.map((_, k) => rank - 0.42 + ((k * GOLDEN_RATIO) % 1) * 0.36),
    text: places.map(place => `<b>${escaped(page.series.patient[place])}</b><br>${escaped(page.series.series[place])}`),
    hovertemplate: `%{text}<br>%{y:,.5~r}${unit && " " + escaped(unit)}<extra></extra>`,
    marker: {
      color: outside.map(beyond => beyond ? OUTSIDE : group.colour), line: {width: 0},
      size: dense ? 4 : 5, opacity: outside.map(beyond => beyond ? 0.9 : dense ? 0.45 : 0.65),
    },
  };
}

function box(group, rank) {
  const [low, q1, median, q3, high] = group.box;
  return {
    type: "box", name: lines(group.name), x: [rank + 0.2], width: 0.3, hoverinfo: "y",
    lowerfence: [low], q1: [q1], median: [median], q3: [q3], upperfence: [high],
    line: {color: INK, width: 1.3}, fillcolor: "rgba(28, 35, 41, 0.08)",
  };
}

function range(groups) {
  let low = Infinity, high = -Infinity;
  for (const group of groups) for (const value of [...group.values, ...group.box, ...group.limits]) {
    if (value !== null) { low = Math.min(low, value); high = Math.max(high, value); }
  }
  const margin = 0.06 * (high - low) || 0.05 * Math.abs(high) || 1;
  const bottom = low - margin;
  return [low >= 0 && bottom < 0 ? -0.02 * high : bottom, high + margin];
}

function layout(groups, title) {
  const limits = groups.flatMap((group, rank) => group.limits.filter(limit => limit !== null).map(limit => ({
    type: "line", x0: rank - 0.45, x1: rank + 0.45, y0: limit, y1: limit, line: {color: LIMIT, width: 1.2, dash: "dot"},
  })));
  const spare = Math.max(0, 3 - groups.length) / 2;  // a single box need not fill the width
  return {
    template: "none", showlegend: false, hovermode: "closest", autosize: true, shapes: limits,
    font: {family: "system-ui, sans-serif", size: 13, color: INK},
    margin: {l: 70, r: 16, t: 18, b: 24 + 17 * Math.max(...groups.map(group => 1 + group.name.split("\n").length))},
    hoverlabel: {bgcolor: "#ffffff", bordercolor: "#8d99a3", font: {size: 11, color: INK}, align: "left"},
    xaxis: {
      tickvals: groups.map((_, rank) => rank), tickangle: 0,
      ticktext: groups.map(group => `${lines(group.name)}<br>n = ${group.n.toLocaleString("en")}`),
      range: [-0.6 - spare, groups.length - 0.4 + spare], zeroline: false, showgrid: false, fixedrange: true,
    },
    yaxis: {
      title: {text: escaped(title)}, range: range(groups), zeroline: false, gridcolor: "#e6eaed", automargin: true,
      hoverformat: ",.4~r", exponentformat: "none", separatethousands: true,
    },
  };
}

async function draw(area, figure) {
  const traces = figure.groups.flatMap((group, rank) => [points(group, rank, figure.unit), box(group, rank)]);
  await Plotly.react(area, traces, layout(figure.groups, figure.title), options);
  if (areas.includes(area)) return;
  areas.push(area);
  area.on("plotly_click", event => {
    const place = event.points[0].customdata;
    if (typeof place === "number") openSeries(place, event.event.shiftKey);
  });
}

async function drawInTurn(jobs) {
  for (const job of jobs) {
    await job();
    await new Promise(resolve => setTimeout(resolve));  // lets the reader scroll and type meanwhile
  }
  document.documentElement.dataset.drawn = Math.round(performance.now());
}

// Paper is narrower than a screen.
addEventListener("beforeprint", () => areas.forEach(area => Plotly.relayout(area, {width: 680, height: 360})));
addEventListener("afterprint", () => areas.forEach(area => Plotly.relayout(area, {width: null, height: null, autosize: true})));
