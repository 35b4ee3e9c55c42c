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
// keep the focus, and what is typed and not sent yet, when a part is drawn anew; of what is gone the focus goes to what
// stood before it
function redraw(root, children) {
  const active = root.getRootNode().activeElement
  const before = [...root.querySelectorAll("[data-key]")]
  const place = active && root.contains(active) ? before.indexOf(active) : -1
  const typed = place >= 0 && active.tagName === "INPUT" && active.type === "text" && active.value !== active.dataset.sent
    ? [active.value, active.selectionStart, active.selectionEnd] : null
  if (typed) active.dataset.sent = active.value // it leaves the page, and has nothing to send
  root.replaceChildren(...children)
  if (place < 0) return
  const after = [...root.querySelectorAll("[data-key]")]
  const same = after.find((element) => element.dataset.key === active.dataset.key)
  const chosen = same ?? after[Math.max(0, Math.min(place - 1, after.length - 1))]
  if (same && typed) { same.value = typed[0]; same.setSelectionRange(typed[1], typed[2]) }
  chosen?.focus({preventScroll: true})
}
// what a reader types: sent by Enter or by leaving the field, taken back by Escape
function typing(input, send) {
  input.dataset.sent = input.value
  const commit = () => { if (input.value !== input.dataset.sent) { input.dataset.sent = input.value; send() } }
  for (const event of ["change", "blur"]) input.addEventListener(event, commit)
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") commit()
    if (event.key === "Escape") { input.value = input.dataset.sent; input.select() }
  })
  return input
}
// write what holds into a field, but not over what is being typed
function settle(input, text) {
  if (input.getRootNode().activeElement !== input || input.value === input.dataset.sent) input.value = input.dataset.sent = text
}
