// Why this one: the configuration, its figures, what binds, what else there is, and the calls that say so.
export function render({model, el}) {
  const root = make("section", {class: "why", "aria-label": "why this one"})
  el.append(root)
  const send = (message) => model.send_msg(JSON.stringify(message))
  const button = (text, message, more = {}) => { const made = make("button", {type: "button", onclick: () => send(message), ...more}, text); made.dataset.key = text + JSON.stringify(message); return made }
  const list = (heading, lines, kind = "") => lines.length ? [make("h3", {}, heading), make("ul", {class: kind}, lines.map((line) => make("li", {dir: "auto"}, line)))] : []
  const draw = () => {
    const data = JSON.parse(model.data)
    if (!data.heading) return
    const parts = [make("h2", {}, data.title)]
    for (const line of data.red) parts.push(make("p", {class: "red"}, line))
    parts.push(make("p", {class: "configuration", dir: "auto"}, data.heading))
    if (data.figures.length) parts.push(make("table", {}, make("caption", {class: "hidden"}, "its figures"), make("tbody", {}, data.figures.map(([name, value, more]) =>
      make("tr", {}, make("th", {scope: "row"}, name), make("td", {}, value, more ? make("span", {class: "muted"}, ` ${more}`) : null))))))
    parts.push(...list("In doubt", data.doubts, "doubts"), ...list("How clear it is", data.margin), ...list("What binds", data.binds))
    if (data.relaxations.length) parts.push(make("h3", {}, "What a limit costs"), make("ul", {}, data.relaxations.map((one) =>
      make("li", {}, one.text + " ", button("relax", {do: "relax", name: one.name, to: one.to}, {"aria-label": `relax ${one.name}`})))))
    parts.push(...list("Pinned, to compare", data.compared), ...list("Where it comes from", data.origin))
    const python = make("button", {type: "button", onclick: () => copy(data.python, python)}, "copy Python")
    python.dataset.key = "copy"
    const pin = data.id ? button(data.pinned ? "unpin" : "pin", {do: "pin", id: data.id}) : null
    if (pin) pin.dataset.key = "pin" // the same button, whatever it says
    parts.push(make("p", {class: "buttons"}, pin, python))
    parts.push(make("details", {}, make("summary", {}, "the same in Python"), make("pre", {}, data.python)))
    redraw(root, parts)
  }
  model.on("data", draw)
  draw()
}
