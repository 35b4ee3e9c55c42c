// The page itself: light or dark, where the reader is, the search of a table.
(() => {
  const root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)");
  document.getElementById("theme").addEventListener("click", () => {
    const now = root.dataset.theme || (dark.matches ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
  });
  // a section that is jumped to stands below what stays on top
  const top = document.querySelector(".top");
  new ResizeObserver(() => { root.style.scrollPaddingTop = `${top.offsetHeight + 16}px`; }).observe(top);
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const mark = (key) => {
    for (const [name, link] of links) name === key ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current");
  };
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) mark(entry.target.id);
  }, {rootMargin: "-20% 0px -70% 0px"});
  // a short last section never comes that high
  addEventListener("scroll", () => {
    if (scrollY > 0 && innerHeight + scrollY >= root.scrollHeight - 2) mark([...links.keys()].at(-1));
  }, {passive: true});
  for (const table of document.querySelectorAll(".table:has(.search)")) {
    const rows = [...table.querySelectorAll("tbody tr")].map((row) => [row, row.textContent.toLowerCase()]);
    const [field, told] = [table.querySelector("input"), table.querySelector("output")];
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const [row, text] of rows) {
        row.hidden = !words.every((word) => text.includes(word));
        shown += !row.hidden;
      }
      told.textContent = words.length ? `${shown} of ${rows.length}` : "";
    });
  }
  document.querySelectorAll("main > section").forEach((section) => seen.observe(section));
})();
