// The feature explorer: one feature, of one organ by all models or of one model in all organs.
function explorer(content) {
  const feature = document.getElementById("explorer-feature"), view = document.getElementById("explorer-view");
  const quartiles = document.querySelector("#explorer-quartiles tbody");

  const titled = ({title, unit}) => unit ? `${title} in ${unit}` : title;
  const title = name => titled(content.features.find(entry => entry.name === name));
  const options = (parent, entries) => entries.forEach(([value, text]) => parent.append(new Option(text, value)));
  const part = (label, entries) => {
    const group = document.createElement("optgroup");
    group.label = label;
    options(group, entries);
    view.append(group);
  };
  options(feature, content.features.map(entry => [entry.name, titled(entry)]));
  part("One organ, all models", content.organs.map(organ => [`organ ${organ.name}`, `organ: ${organ.title}`]));
  part("One model, all organs", content.models.map(model => [`model ${model.name}`, `model: ${model.title}`]));
  if (content.features.some(entry => entry.name === "Sphericity")) feature.value = "Sphericity";
  if (content.organs.some(organ => organ.name === "heart")) view.value = "organ heart";
  if (content.models.length === 1) view.value = `model ${content.models[0].name}`;

  function groups() {
    const [kind, chosen] = [view.value.slice(0, 5), view.value.slice(6)];
    const keys = kind === "organ"
      ? content.models.map(model => [chosen, model.name, model])
      : content.organs.map(organ => [organ.name, chosen, organ]);
    return keys.map(([organ, model, shown]) => {
      const cell = content.cells[feature.value]?.[organ]?.[model];
      return cell && {series: content.series, ...cell, name: shown.title, colour: shown.colour};
    }).filter(Boolean);
  }

  function listQuartiles(shown) {
    const format = value => value.toLocaleString("en", {maximumSignificantDigits: 4});
    quartiles.replaceChildren(...shown.map(group => {
      const row = document.createElement("tr"), head = document.createElement("th");
      head.textContent = group.name;
      row.append(head, ...[group.n.toLocaleString("en"), ...group.box.slice(1, 4).map(format)].map(text => {
        const cell = document.createElement("td");
        cell.className = "n";
        cell.textContent = text;
        return cell;
      }));
      return row;
    }));
  }

  async function show() {
    const shown = groups(), unit = content.features.find(entry => entry.name === feature.value).unit;
    listQuartiles(shown);
    await draw(document.getElementById("explorer-plot"), {groups: shown, title: title(feature.value), unit});
  }
  for (const select of [feature, view]) select.addEventListener("change", show);
  return show;
}
