// code that is wider than its box is scrolled by the keyboard too
addEventListener("load", () => {
  for (const box of document.querySelectorAll("pre, .table-wrapper, .figure-of-a-cell")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
});

// figures follow the theme of the site, from when all of them are drawn
addEventListener("load", () => {
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const number = document.querySelectorAll(".figure-of-a-cell").length;
  const follow = () => {
    const {theme} = document.body.dataset;
    const dark = theme === "dark" || (theme !== "light" && scheme.matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
  };
  const drawn = () => window.Bokeh && Bokeh.documents.length >= number && Bokeh.documents.every((one) => one.is_idle);
  const start = () => {
    if (number && !drawn()) return void setTimeout(start, 100);
    follow();
    scheme.addEventListener("change", follow);
    new MutationObserver(follow).observe(document.body, {attributeFilter: ["data-theme"]});
  };
  start();
});
