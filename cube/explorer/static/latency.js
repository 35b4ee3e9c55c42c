// What is reached within each latency: a table with a row for each label.
export function render({model, el}) {
  const root = make("div", {class: "within", role: "group", "aria-label": "What is reached within each latency", tabindex: "0"})
  el.append(root)
  const draw = () => {
    const data = JSON.parse(model.data)
    if (!data.note) return
    const parts = [make("p", {class: "muted"}, data.note)]
    if (data.rows.length) parts.push(make("table", {},
      make("thead", {}, make("tr", {}, make("th", {scope: "col"}, data.dim), data.columns.map((text) => make("th", {scope: "col", class: "number"}, text)))),
      make("tbody", {}, data.rows.map((row) => make("tr", {}, make("th", {scope: "row", dir: "auto"}, row.shown), row.cells.map((cell) =>
        make("td", {class: cell.best ? "number best" : "number"}, cell.text, cell.more ? make("span", {class: "muted"}, ` ${cell.more}`) : null)))))))
    root.replaceChildren(...parts)
  }
  model.on("data", draw)
  draw()
}
