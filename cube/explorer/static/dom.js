// What all parts share: elements made from plain text alone, so that no label can become markup.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value)
    else if (name === "class") element.className = value
    else if (name in element && name !== "list" && name !== "style") element[name] = value
    else element.setAttribute(name, value)
  }
  for (const child of children.flat()) if (child !== null && child !== undefined) element.append(child)
  return element
}
const narrow = "\u202f"
const grouped = (number) => Math.round(number).toString().replace(/\B(?=(\d{3})+(?!\d))/g, narrow)
const counted = (number) => Math.abs(number) < 1e15 ? grouped(number) : number.toExponential(2)
function choice(label, options, value, change, attributes = {}) {
  const select = make("select", {"aria-label": label, ...attributes, onchange: () => change(select.value)})
  for (const [key, text] of options) select.append(make("option", {value: key}, text))
  select.value = value
  return select
}
// copy a text and say on the button whether it was; a page that is not served safely has no clipboard of its own
async function copy(text, button) {
  const words = button.textContent
  let done = true
  try { await navigator.clipboard.writeText(text) }
  catch {
    const area = make("textarea", {value: text})
    document.body.append(area)
    area.select()
    done = document.execCommand("copy")
    area.remove()
  }
  button.textContent = done ? "copied" : "not copied"
  setTimeout(() => { button.textContent = words }, 2000)
}
// keep the focus, and what is being typed, when a part is drawn anew
function redraw(root, children) {
  const active = root.getRootNode().activeElement
  const key = active && root.contains(active) ? active.dataset.key : null
  const typed = key && active.tagName === "INPUT" && active.type === "text" ? active.value : null
  root.replaceChildren(...children)
  if (!key) return
  for (const element of root.querySelectorAll("[data-key]")) if (element.dataset.key === key) {
    if (typed !== null && element.dataset.keep === "1") element.value = typed
    element.focus({preventScroll: true})
  }
}
