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
    for (const model of models) for (const [name, value] of Object.entries(model.attributes)) {
      if (!name.includes("color") || value === null) continue
      const wrapped = typeof value === "object" && typeof value.value === "string"
      const place = from.indexOf(wrapped ? value.value : value)
      if (place >= 0) model.setv({[name]: wrapped ? {...value, value: to[place]} : to[place]}, {sync: false})
    }
  }
  // a figure that is opened later brings models of its own
  let painted = 0, waiting = 0
  const changed = () => {
    if (waiting || Bokeh.documents[0]._all_models.size === painted) return
    waiting = setTimeout(() => { waiting = 0; painted = Bokeh.documents[0]._all_models.size; paint() }, 20)
  }
  const begin = () => {
    if (!window.Bokeh?.documents[0]?._all_models.size) return setTimeout(begin, 30)
    paint()
    Bokeh.documents[0].on_change(changed)
  }
  begin()
  scheme.addEventListener("change", paint)
  new MutationObserver(paint).observe(root, {attributeFilter: ["data-theme"]})
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
