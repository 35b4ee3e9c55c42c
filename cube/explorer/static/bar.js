// The bar: what is wanted, limits, what each removed, and what to do when nothing is left.
export function render({model, el}) {
  const root = make("div", {class: "bar"})
  el.append(root)
  const send = (message) => model.send_msg(JSON.stringify(message))
  const keyed = (element, key) => { element.dataset.key = key; return element }
  const button = (text, message, more = {}) => keyed(make("button", {type: "button", onclick: () => send(message), ...more}, text), "b" + text + JSON.stringify(message))
  const field = (limit) => {
    const name = `${limit.shown} ${limit.sign}`
    const input = keyed(make("input", {type: "text", value: limit.text, placeholder: limit.unit, size: 8, "aria-label": `${name} ${limit.unit}`,
      "aria-invalid": limit.wrong ? "true" : "false"}), `f${limit.name}${limit.end}`)
    typing(input, () => send({do: "limit", name: limit.name, end: limit.end, text: input.value}))
    const cross = limit.text === "" ? null : button("×", {do: "limit", name: limit.name, end: limit.end, text: ""}, {"aria-label": `remove the limit ${name}`, class: "cross"})
    return make("span", {class: "limit"}, make("span", {}, name), input, cross)
  }
  const draw = () => {
    const data = JSON.parse(model.data)
    if (!data.title) return
    const status = data.status ? make("p", {class: "status", role: "status"}, data.status + " ", data.asking ? button("cancel", {do: "cancel"}) : null) : null
    if (!data.kinds) return redraw(root, [make("h1", {}, data.title), status, ...data.complaints.map((text) => make("p", {class: "warn", role: "alert"}, text))].filter(Boolean))
    const head = make("div", {class: "head"}, make("h1", {}, data.title))
    if (data.kinds.length > 1) head.append(make("span", {class: "group", role: "group", "aria-label": "figures"},
      data.kinds.map((kind) => button(kind, {do: "set", name: "kind", value: kind}, {"aria-pressed": String(kind === data.kind)}))))
    else head.append(make("span", {class: "badge"}, data.kind))
    head.append(make("span", {class: "tools"},
      button("undo", {do: "undo"}, {disabled: !data.undo, title: "Ctrl+Z"}), button("redo", {do: "redo"}, {disabled: !data.redo, title: "Ctrl+Shift+Z"}), button("reset", {do: "reset"}),
      keyed(make("button", {type: "button", title: "copy the address of this state", onclick: (event) => copy(location.href, event.target)}, "link"), "blink"),
      keyed(make("button", {type: "button", "aria-label": "light or dark", title: "light or dark", onclick: () => window.roofcubeTheme?.()}, "◐"), "btheme")))
    const wanted = make("div", {class: "wanted"}, make("span", {}, "I want "),
      keyed(choice("what is wanted", data.objectives, data.objective, (value) => send({do: "set", name: "objective", value})), "objective"), make("span", {}, " with"))
    for (const limit of data.limits) wanted.append(field(limit))
    wanted.append(keyed(choice("add a limit", [["", "+ limit"], ...data.addable], "", (value) => value && send({do: "add", name: value})), "add"))
    const line = make("p", {class: "steps", role: "status", "aria-live": "polite"}, make("b", {}, counted(data.total)), ` ${data.noun}`)
    for (const step of data.steps) line.append(" → ", step.words, " ", make("span", {class: step.removed ? "removed" : "none"}, `−${counted(step.removed)}`))
    line.append(" → ", make("b", {class: data.left ? "" : "removed"}, counted(data.left)), " left · ", make("b", {}, counted(data.front)), " on the front")
    if (data.sampled) line.append(` · a sample of ${counted(data.sampled)} is drawn, counts and front are exact`)
    if (data.doubtful || data.hidden) line.append(" · ", `${counted(Math.max(data.doubtful, 0))} in doubt `, button(data.hidden ? "show" : "hide", {do: "set", name: "hide_doubts", value: !data.hidden}, {"aria-label": data.hidden ? "show what is in doubt" : "hide what is in doubt"}))
    if (data.selected) line.append(" · ", make("b", {}, counted(data.selected)), data.named ? ` selected, of which a link names ${data.named} ` : " selected ", button("clear", {do: "clear"}, {"aria-label": "clear the selection"}))
    const parts = [head, wanted, line]
    if (data.warning) parts.push(make("p", {class: "red", role: "alert"}, data.warning))
    for (const complaint of data.complaints) parts.push(make("p", {class: "warn", role: "alert"}, complaint))
    if (data.emptied.length) parts.push(make("div", {class: "warn", role: "alert"}, make("b", {}, `Nothing is left. `), data.last, make("ul", {},
      data.emptied.map((one) => make("li", {}, one.text + " ", one.name ? button("relax it so", {do: "relax", name: one.name, to: one.to}) : null)))))
    if (status) parts.push(status)
    redraw(root, parts)
  }
  // on a page of its own, outside of what is typed; in a notebook these keys are the notebook's
  const typed = "textarea, select, [contenteditable], input:not([type=checkbox], [type=radio], [type=range])"
  if (window.roofcubeTheme) document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.composedPath()[0].matches?.(typed)) return
    const key = event.key.toLowerCase(), what = key === "y" || (key === "z" && event.shiftKey) ? "redo" : key === "z" ? "undo" : null
    if (!what) return
    event.preventDefault()
    send({do: what})
  })
  model.on("data", draw)
  model.on("msg:custom", (text) => {
    const message = JSON.parse(text)
    if (message.csv === undefined) return
    const url = URL.createObjectURL(new Blob([message.csv], {type: "text/csv"}))
    make("a", {href: url, download: message.name}).click()
    setTimeout(() => URL.revokeObjectURL(url), 10000)
  })
  draw()
}
