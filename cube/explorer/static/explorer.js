// The page around the parts: one entry of history for each thing a reader did, Back and Forward, light and dark.
(() => {
  const root = document.documentElement
  try { const saved = localStorage.getItem("roofcube-theme"); if (saved) root.dataset.theme = saved } catch {}
  window.roofcubeTheme = () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches
    root.dataset.theme = dark ? "light" : "dark"
    try { localStorage.setItem("roofcube-theme", root.dataset.theme) } catch {}
  }
  // canvas cannot follow a style sheet: exchange the neutral colours, in this browser alone
  const light = ["#1f2329", "#5c6570", "#dde2e8", "#ffffff"], dark = ["#e8ecf1", "#a3adb8", "#333a42", "#14181d"]
  const scheme = matchMedia("(prefers-color-scheme: dark)")
  const paint = () => {
    const [from, to] = (root.dataset.theme ? root.dataset.theme === "dark" : scheme.matches) ? [light, dark] : [dark, light]
    const models = window.Bokeh?.documents[0]?._all_models.values() ?? []
    let changed = false
    for (const model of models) for (const [name, value] of Object.entries(model.attributes)) {
      if (!name.includes("color") || value === null) continue
      const wrapped = typeof value === "object" && typeof value.value === "string"
      const place = from.indexOf(wrapped ? value.value : value)
      if (place < 0) continue
      model.setv({[name]: wrapped ? {...value, value: to[place]} : to[place]}, {sync: false})
      changed = true
    }
    return changed
  }
  // what is drawn next leaves half a pixel at two edges, where the colour of before would stay
  const wipe = (node) => {
    for (const one of node.querySelectorAll("*")) {
      if (one.shadowRoot) wipe(one.shadowRoot)
      if (one.tagName !== "CANVAS") continue
      const context = one.getContext("2d")
      context?.save()
      context?.resetTransform()
      context?.clearRect(0, 0, one.width, one.height)
      context?.restore()
    }
  }
  // a figure that is opened later brings models of its own, known when the patch is done, painted before they are drawn
  let painted = 0, waiting = false
  const changed = () => {
    if (waiting) return
    waiting = true
    queueMicrotask(() => {
      waiting = false
      const size = Bokeh.documents[0]._all_models.size
      if (size !== painted) { painted = size; paint() }
    })
  }
  const begin = () => {
    if (!window.Bokeh?.documents[0]?._all_models.size) return setTimeout(begin, 30)
    paint()
    Bokeh.documents[0].on_change(changed)
  }
  begin()
  const repaint = () => { if (paint()) wipe(document) }
  scheme.addEventListener("change", repaint)
  new MutationObserver(repaint).observe(root, {attributeFilter: ["data-theme"]})
  // Panel pushes an entry at every change of the address; a drag and the address of the opening are one entry each
  const push = history.pushState.bind(history), replace = history.replaceState.bind(history)
  let last = performance.now() + 1500
  history.pushState = (state, title, url) => {
    const to = new URL(url, location.href).href
    if (to === location.href) return
    const now = performance.now()
    ;(now - last < 600 ? replace : push)(state, title, url)
    last = now
  }
  // Panel does not listen to Back and Forward: hand the address to the model that Python watches
  addEventListener("popstate", () => {
    last = performance.now()
    const models = window.Bokeh?.documents[0]?._all_models.values() ?? []
    for (const model of models) if (model.type === "panel.models.location.Location") model.search = location.search || "?"
  })
})()
