// code that is wider than its box is scrolled by the keyboard too
addEventListener("load", () => {
  for (const box of document.querySelectorAll("pre, .table-wrapper, .figure-of-a-cell")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
});
