// A row of choices above a view: lists, and buttons of which one is pressed.
export function render({model, el}) {
  const root = make("div", {class: "choices"})
  el.append(root)
  const send = (message) => model.send_msg(JSON.stringify(message))
  const draw = () => {
    const data = JSON.parse(model.data)
    show(data.parts ?? [])
    if (data.listing !== undefined) send({do: "listed", number: data.listing})
  }
  const show = (parts) => redraw(root, parts.map((part) => {
    if (part.kind === "text") return make("span", {class: "muted"}, part.text)
    if (part.kind === "select") {
      const select = choice(part.shown, part.options, part.value, (value) => send({do: "set", name: part.name, value}))
      select.dataset.key = part.name
      return make("label", {}, part.shown + " ", select)
    }
    if (part.kind === "do") { const made = make("button", {type: "button", onclick: () => send({do: part.name})}, part.shown); made.dataset.key = part.name; return made }
    return make("span", {class: "group", role: "group", "aria-label": part.shown}, part.options.map(([key, text]) => {
      const made = make("button", {type: "button", "aria-pressed": String(key === part.value), onclick: () => send({do: "set", name: part.name, value: key})}, text)
      made.dataset.key = part.name + key
      return made
    }))
  }))
  model.on("data", draw)
  draw()
}
