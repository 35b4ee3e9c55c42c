// what is wider than its box is scrolled by the keyboard too: code and tables at once, figures when they are drawn
const reach = (boxes) => {
  for (const box of document.querySelectorAll(boxes)) if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
};
addEventListener("load", () => reach("pre, .table-wrapper"));

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
    reach(".figure-of-a-cell");
    follow();
    scheme.addEventListener("change", follow);
    new MutationObserver(follow).observe(document.body, {attributeFilter: ["data-theme"]});
  };
  start();
});
