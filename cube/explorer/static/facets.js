// Labels to choose from, each with its count and a bar; ranges where there are too many. Updated in place.
export function render({model, el}) {
  const root = make("div", {class: "facets"})
  el.append(root)
  const facets = new Map()
  const begin = (facet) => {
    const body = make("div"), count = make("span", {class: "n"})
    const box = make("details", {open: facet.open}, make("summary", {}, facet.shown, count), body)
    root.append(box)
    const made = {box, body, count, rows: new Map(), kind: facet.kind}
    if (facet.kind === "labels" && facet.labels.length > 12) {
      const search = make("input", {type: "search", placeholder: "search", "aria-label": `search ${facet.shown}`, oninput: () => filter(made, search.value)})
      body.append(search)
      made.search = search
    }
    const list = make("div", {class: "list"})
    body.append(list)
    made.list = list
    return made
  }
  const filter = (made, text) => { for (const row of made.rows.values()) row.line.hidden = !row.words.includes(text.toLowerCase()) }
  const label = (facet, made, one) => {
    const box = make("input", {type: "checkbox", onchange: () => model.send_msg(JSON.stringify({do: "keep", name: facet.name, text: one.text, on: box.checked}))})
    const mark = one.symbol ? make("span", {class: "symbol", "aria-hidden": "true", style: `color:${one.colour}`}, one.symbol) : null
    const number = make("span", {class: "n"}), bar = make("i"), words = make("span", {class: "t", title: one.text, dir: "auto"}, one.shown)
    const line = make("label", {}, box, mark, words, number, bar)
    made.list.append(line)
    return {line, box, number, bar, words: `${one.text} ${one.shown}`.toLowerCase()}
  }
  const range = (facet, made) => {
    const bars = make("div", {class: "bars", "aria-hidden": "true"}, facet.bars.map(() => make("i")))
    const send = () => model.send_msg(JSON.stringify({do: "range", name: facet.name, low: low.value, high: high.value}))
    const low = typing(make("input", {type: "text", size: 7, "aria-label": `${facet.shown} from`}), () => send())
    const high = typing(make("input", {type: "text", size: 7, "aria-label": `${facet.shown} to`}), () => send())
    made.list.append(...(facet.bars.length ? [bars] : []), make("div", {class: "ends"}, low, make("span", {}, "to"), high))
    return {bars, low, high}
  }
  const draw = () => {
    const data = JSON.parse(model.data)
    const names = new Set(data.map((facet) => facet.name + facet.kind + (facet.labels ?? []).length))
    for (const [key, made] of facets) if (!names.has(key)) { made.box.remove(); facets.delete(key) }
    for (const facet of data) {
      const key = facet.name + facet.kind + (facet.labels ?? []).length
      let made = facets.get(key)
      if (!made) facets.set(key, made = begin(facet))
      if (facet.kind === "range") {
        made.range ??= range(facet, made)
        const most = Math.max(1, ...facet.bars)
        facet.bars.forEach((count, place) => { made.range.bars.children[place].style.height = `${100 * count / most}%` })
        settle(made.range.low, facet.low); settle(made.range.high, facet.high)
        made.range.low.placeholder = facet.least; made.range.high.placeholder = facet.most
        continue
      }
      const chosen = facet.labels.filter((one) => one.on).length
      made.count.textContent = chosen ? ` ${chosen} of ${facet.labels.length}` : ""
      const most = Math.max(1, ...facet.labels.map((one) => one.count))
      for (const one of facet.labels) {
        let row = made.rows.get(one.text)
        if (!row) made.rows.set(one.text, row = label(facet, made, one))
        row.box.checked = one.on
        row.number.textContent = counted(one.count)
        row.bar.style.width = `${100 * one.count / most}%`
        row.line.classList.toggle("zero", !one.count)
      }
    }
  }
  model.on("data", draw)
  draw()
}
