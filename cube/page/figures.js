// What a reader can do with the figures of a page: choose what all of them show, the view of one and what it is drawn
// at, and read the rows behind it. Everything is found in the figures themselves: marks have a filter of their own and
// columns such as `platform`, fronts a tag that names their marks, plots one that says how their title is made or what
// there is to choose, tooltips one of their lines, and figures of rows a column `place`.
(() => {
  const ROWS = 2000, FEWEST = 3, NOT_KNOWN = "not known";
  const COLUMNS = {platform: "platform", device_class: "platform", precision: "precision", topology: "topology"};
  const WORDS = {platform: "platform", device_class: "class", precision: "precision", topology: "network"};
  const HEADS = {configuration: "Configuration", label: "Name"};
  const make = (tag, attributes = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), attributes);
    element.append(...children);
    return element;
  };
  const plain = (value) => value instanceof Map ? Object.fromEntries([...value].map(([name, one]) => [name, plain(one)]))
    : Array.isArray(value) ? value.map(plain)
    : value && Object.getPrototypeOf(value) === Object.prototype ? plain(new Map(Object.entries(value))) : value;
  const text_of = (markup) => new DOMParser().parseFromString(markup, "text/html").body.textContent;
  const size_of = (source) => source.get_length() ?? 0;
  const named_by = (heading) => heading.replace(/^@\{?|\}?$/g, "");
  const distinct = (values) => [...new Set(values)];

  // titles: numbers as the package writes them ---------------------------------------------------------------------

  const grouped = (count) => String(count).replace(/\B(?=(\d{3})+$)/g, "\u202f");
  const counted = (count, noun) => `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
  // of two that are as near it is the even one, as in Python
  const digits = (value, count) => {
    const exact = value.toPrecision(count + 30).replace(/e.*|[.]/g, "").replace(/^0+/, "");
    const midway = /^50*$/.test(exact.slice(count)) && exact[count - 1] % 2 === 0;
    return +(midway ? value * (1 - 1e-12) : value).toPrecision(count);
  };
  const rounded = (value) => digits(value, 3) >= 100 ? digits(value, 3).toFixed(0) : String(digits(value, 3));
  const short = (value) => {
    if (!isFinite(value)) return isNaN(value) ? NOT_KNOWN : "∞";
    const step = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]].find(([one]) => value >= one * 0.9995);
    return step ? rounded(value / step[0]) + step[1] : rounded(value);
  };
  const percent = (ratio) => {
    const value = 100 * ratio;
    if (!isFinite(value)) return NOT_KNOWN;
    const whole = Math.floor(Math.log10(Math.max(value, 1))) + 1;
    const text = value >= 100 ? digits(value, whole).toFixed(0) : String(digits(value, 3));
    return value >= 0.95 && value < 100 && !text.includes(".") ? `${text}.0 %` : `${text} %`;
  };
  const median = (values) => {
    const known = values.filter(isFinite).sort((a, b) => a - b), half = known.length >> 1;
    return known.length % 2 ? known[half] : (known[half - 1] + known[half]) / 2;
  };
  // Break a title into lines that its plot is wide enough for.
  const pen = document.createElement("canvas").getContext("2d");
  const broken = (text, {title, inner_width}) => {
    pen.font = `${title.text_font_style} ${title.text_font_size} ${title.text_font}`;
    const fits = (line) => !inner_width || pen.measureText(line).width <= inner_width;
    const lines = [""];
    for (const word of text.split(" ")) {
      const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
      if (lines.at(-1) && !fits(longer)) lines.push(word); else lines[lines.length - 1] = longer;
    }
    return lines.join("\n");
  };

  // Write the title of the rows that are shown; a front also tells its points and what it was chosen from.
  const titled = (finding, data, rows, front) => {
    const possible = rows.filter((row) => data.believed === undefined || data.believed[row]);
    const told = possible.length ? possible : rows;
    const said = (part) => {
      if (typeof part === "string") return part;
      const [how, value, words] = part, [one, other] = value.split("/");
      if (how === "count") return counted(front.among, "point");
      if (how === "front") return grouped(front.names.length);
      if (how === "names") {
        const names = distinct(front.names.map(String));
        return (names.length ? value : "") + names.slice(0, 6).join(", ") + (names.length > 6 ? ` and ${counted(names.length - 6, "other")}` : "");
      }
      const number = (row) => other ? data[one][row] / data[other][row] : data[one][row];
      const known = told.filter((row) => isFinite(number(row))), values = known.map(number);
      if (how === "median") return percent(median(values));
      if (how === "error") return percent(median(values.map((ratio) => Math.abs(ratio - 1))));
      if (!known.length) return NOT_KNOWN;
      const held = values.reduce((a, b) => how === "min" ? Math.min(a, b) : Math.max(a, b));
      if (how === "span") return short(held / values.reduce((a, b) => Math.min(a, b)));
      if (words === "%") return percent(held);
      const names = distinct(known.filter((row) => number(row) === held).map((row) => String(data[words][row])));
      return names[0] + (names.length > 1 ? ` and ${counted(names.length - 1, "other")}` : "");
    };
    const alike = finding.same && said(finding.same[0]) === said(finding.same[1]);
    const parts = (alike ? finding.single : finding.title).map(said), text = parts.join("");
    if (parts.includes(NOT_KNOWN)) return "What the title speaks of is not known of what is shown";
    return text.length > finding.most ? finding.brief.map(said).join("") : text;
  };

  // one drawing ------------------------------------------------------------------------------------------------------

  class Drawing {
    constructor(element, root) {
      const models = [...root.references()], of = (type) => models.filter((one) => one.type === type);
      const tags = (one) => plain(one.tags).filter((tag) => tag && typeof tag === "object");
      const renderers = of("GlyphRenderer");
      this.element = element;
      this.plots = of("Figure");
      this.marks = renderers.filter((one) => one.view.filter?.type === "BooleanFilter" && !/\.text\d+$/.test(one.name));
      this.fronts = renderers.flatMap((line) => tags(line).filter((tag) => tag.front_of).map((tag) => ({
        line: line.data_source, signs: tag.signs, of: this.marks.filter((one) => tag.front_of.includes(one.name)),
      }))).filter((front) => front.of.length);
      this.titles = this.plots.flatMap((plot) => tags(plot).filter((tag) => tag.finding)
        .map(({finding}) => ({plot, finding, first: finding, text: plot.title.text})));
      this.said = element.querySelector(".drawing").ariaLabel;
      this.tooltips = of("HoverTool").flatMap((tool) => tags(tool).map((tag) => ({...tag, marks: tool.renderers[0]})))
        .filter(({marks}) => this.marks.includes(marks));
      // marks that lie behind one another, a row each, count once
      const switched = ({data}) => Object.values(COLUMNS).some((column) => data[column]) || data.match;
      const rows_of = ({heading, marks}) => [...(marks.data_source.data[named_by(heading)] ?? [])].join("\n");
      const told = this.tooltips.filter(({marks}) => switched(marks.data_source));
      const plot_of = ({marks}) => this.plots.findIndex((plot) => plot.renderers.includes(marks));
      this.counted = [...new Map(told.map((one) => [`${plot_of(one)} ${rows_of(one)}`, one.marks])).values()];
      this.planes = this.find_planes();
      this.off = new Set();
      this.kept = new Map(this.marks.map((one) => [one, Array(size_of(one.data_source)).fill(true)]));
      const place = this.plots.map((plot) => tags(plot).find((tag) => tag.choices)).find(Boolean);
      if (place) this.offer_choices(place, this.plots.find((plot) => tags(plot).some((tag) => tag.choices)));
      this.offer_matches();
      this.told = make("p", {className: "told", role: "status"});
      this.rows = make("details", {className: "rows"}, make("summary", {}, "Rows of this figure"));
      this.rows.addEventListener("toggle", () => this.fill_table());
      element.append(this.told);
      if (this.tooltips.length) element.append(this.rows);
    }

    // Figures of rows: plots beside one another without labels of their own share the rows of that which has them.
    find_planes() {
      const planes = [];
      for (const plot of this.plots) {
        const members = this.marks.filter((one) => plot.renderers.includes(one) && one.data_source.data.place);
        if (!members.length) continue;
        const axes = plot.left.filter((axis) => axis.type === "LinearAxis");
        const [axis] = axes.filter((one) => one.name !== "heads.y"), [heads] = axes.filter((one) => one.name === "heads.y");
        planes.push({plots: [plot], axis, heads, members});
      }
      const leads = planes.filter((plane) => plane.axis?.visible);
      if (leads.length === 1) {
        for (const other of planes) if (other !== leads[0]) {
          leads[0].plots.push(...other.plots);
          leads[0].members.push(...other.members);
        }
      }
      return (leads.length === 1 ? leads : planes).map((plane) => ({
        ...plane, range: [plane.plots[0].y_range.start, plane.plots[0].y_range.end],
        heights: new Map(plane.plots.map((plot) => [plot, plot.height])), insides: new Map(),
        home: new Map(plane.members.map((one) => [one, {...one.data_source.data}])),
        labels: [plane.axis, plane.heads].filter(Boolean)
          .map((axis) => [axis, [...axis.ticker.ticks], axis.major_label_overrides]),
      }));
    }

    show(wanted) {
      const fields = Object.entries(wanted);
      let changed = false;
      for (const one of this.marks) {
        const {data} = one.data_source;
        const tests = fields.filter(([field]) => data[COLUMNS[field]]).map(([field, on]) => {
          const column = data[COLUMNS[field]];
          return (row) => column[row] === "" || on(String(column[row]));
        });
        if (this.off.size && data.match) tests.push((row) => !this.off.has(data.match[row]));
        const kept = Array.from({length: size_of(one.data_source)}, (_, row) => tests.every((test) => test(row)));
        if (kept.some((shown, row) => shown !== this.kept.get(one)[row])) {
          one.view.filter.booleans = kept.every(Boolean) ? null : kept;
          this.kept.set(one, kept);
          changed = true;
        }
      }
      this.tell(fields);
      if (!changed) return;
      this.close_rows();
      this.find_fronts();
      this.retitle();
      this.fill_table();
    }

    shown(one) {
      const kept = this.kept.get(one);
      return kept.flatMap((shown, row) => shown ? [row] : []);
    }

    close_rows() {
      for (const {plots, axis, heads, members, heights, insides, range, home, labels} of this.planes) {
        const gap = this.gap_of(home), seen = new Map();
        for (const one of members) {
          const {place, row: words, group} = home.get(one);
          for (const row of this.shown(one)) if (!seen.has(place[row]) || words) {
            seen.set(place[row], words ? [words[row], group[row]] : seen.get(place[row]) ?? ["", ""]);
          }
        }
        const all = members.every((one) => this.kept.get(one).every(Boolean));
        const moved = new Map(), ticks = new Map(), spans = new Map();
        let at = 0, last = null;
        for (const place of [...seen.keys()].sort((a, b) => a - b)) {
          const [word, group] = seen.get(place);
          if (last !== null && last !== group) at += gap;
          moved.set(place, at);
          ticks.set(-at, word);
          spans.set(group, [...(spans.get(group) ?? []), at]);
          last = group;
          at += 1;
        }
        for (const one of members) {
          const before = home.get(one), data = {...one.data_source.data};
          const shift = Array.from(before.place, (place) => all ? 0 : place - (moved.get(place) ?? 0));
          for (const name of ["y", "y0", "y1"])
            if (name in data) data[name] = Array.from(before[name], (y, row) => y + shift[row]);
          one.data_source.data = data;
        }
        const middle = (places) => -(Math.min(...places) + Math.max(...places)) / 2;
        const step = Math.ceil(ticks.size / Math.max(labels[0]?.[1].length ?? 1, 1));
        const texts = [[axis, new Map([...ticks].filter((_, place) => place % step === 0))],
                       [heads, new Map([...spans].filter(([name]) => name.trim()).map(([name, places]) => [middle(places), name]))]];
        for (const [one, told] of texts) if (one) {
          const [, places, overrides] = labels.find(([axis]) => axis === one);
          one.ticker.ticks = all ? places : [...told.keys()];
          one.major_label_overrides = all ? overrides : told;
        }
        // the last row is as far from the end of the axis as the first
        const [end, margin] = range, rows = Math.max(at, 1), length = 1 - margin - end;
        const share = Math.min(1, Math.max(rows, FEWEST) / Math.max(length, FEWEST));
        for (const plot of plots) {
          if (!insides.has(plot)) insides.set(plot, plot.inner_height ?? 0);
          plot.y_range.start = all ? end : 1 - margin - rows;
          plot.height = Math.round(heights.get(plot) - (all ? 0 : insides.get(plot) * (1 - share)));
        }
      }
    }

    // How many rows lie between two groups, as the figure was drawn.
    gap_of(home) {
      const groups = new Map();
      for (const {place, group} of home.values()) if (group) place.forEach((at, row) => groups.set(at, group[row]));
      const places = [...groups.keys()].sort((a, b) => a - b);
      const next = places.find((at, number) => number && groups.get(at) !== groups.get(places[number - 1]));
      return next === undefined ? 0 : next - places[places.indexOf(next) - 1] - 1;
    }

    find_fronts() {
      for (const front of this.fronts) {
        const points = front.of.flatMap((one) => {
          const {x, y, platform, believed} = one.data_source.data;
          return this.shown(one).filter((row) => isFinite(x[row]) && isFinite(y[row])).map((row) => ({
            x: x[row], y: y[row], name: platform?.[row], possible: believed === undefined || Boolean(believed[row]),
          }));
        });
        const [across, up] = front.signs, ordered = points.filter((one) => one.possible);
        ordered.sort((a, b) => across * (b.x - a.x) || up * (b.y - a.y));
        const best = [];
        for (const point of ordered) {
          const last = best.at(-1);
          if (!last || up * point.y > up * last.y || (point.y === last.y && point.x === last.x)) best.push(point);
        }
        // in the order of the marks, as the package names them
        const named = points.filter((one) => best.includes(one));
        if (front.of.length > 1) named.sort((a, b) => a.x - b.x);
        front.told = {among: points.length, names: named.map((one) => one.name)};
        const steps = [...new Map(best.map((one) => [`${one.x} ${one.y}`, one])).values()].sort((a, b) => a.x - b.x || a.y - b.y);
        front.line.data = {...front.line.data, x: steps.map((one) => one.x), y: steps.map((one) => one.y)};
      }
    }

    retitle() {
      const all = [...this.kept.values()].every((kept) => kept.every(Boolean));
      const nothing = ![...this.kept.values()].some((kept) => kept.some(Boolean));
      for (const {plot, finding, first, text} of this.titles) {
        const marks = this.marks.find((one) => one.name === finding.marks);
        const front = this.fronts.find(({of}) => of.includes(marks));
        if (front && !front.told) this.find_fronts();
        if (all && finding === first) plot.title.text = text;
        else if (nothing) plot.title.text = "Nothing of this figure is shown";
        else if (marks) {
          plot.title.text = broken(titled(finding, marks.data_source.data, this.shown(marks), front?.told), plot);
        }
      }
      const drawing = this.element.querySelector(".drawing"), told = this.titles.map(({plot}) => plot.title.text.replace(/\n/g, " "));
      const same = this.titles.every(({plot, text}) => plot.title.text === text);
      if (told.length) drawing.ariaLabel = same ? this.said : `${drawing.dataset.about}: ${told.join("; ")}`;
    }

    // Say what the buttons leave as it is: marks that are no label's alone, and words that are written once.
    tell(fields) {
      const idle = fields.filter(([field]) => !this.marks.some((one) => one.data_source.data[COLUMNS[field]]));
      const rows = this.counted.flatMap((one) => this.kept.get(one)), shown = rows.filter(Boolean).length;
      const titled = this.titles.length || !this.plots.some((plot) => plot.title?.text);
      const stairs = this.plots.flatMap((plot) => plot.renderers).filter((one) => one.glyph.type === "Step");
      const found = stairs.every((one) => this.fronts.some(({line}) => line === one.data_source));
      const of_all = [...(titled ? [] : ["title"]), ...(found ? [] : ["front"]), "notes"].join(", ");
      const whatever = distinct(idle.map(([field]) => WORDS[field])).join(" or ");
      this.told.textContent = [
        idle.length ? `All is shown here, whatever the ${whatever}.` : "",
        shown < rows.length
          ? `${grouped(shown)} of ${counted(rows.length, "mark")} shown; ${of_all} and key speak of all.` : "",
      ].filter(Boolean).join(" ");
    }

    // Buttons of which one is on: they exchange the columns that depend on it, the title and the end of the axis.
    offer_choices({title, choices, start, findings, label, ends}, plot) {
      const sources = distinct(this.marks.map((one) => one.data_source));
      this.bar(title, choices, (word) => word === start, (word, buttons) => {
        const place = choices.indexOf(word);
        buttons.forEach((button, index) => button.setAttribute("aria-pressed", index === place));
        for (const source of sources) {
          const data = {...source.data};
          for (const name of Object.keys(data)) data[name] = data[`${name} ${word}`] ?? data[name];
          source.data = data;
        }
        if (findings) this.titles.find((one) => one.plot === plot).finding = findings[place].finding;
        if (label) {
          plot.below[0].axis_label = label.replace("{}", word);
          plot.x_range.end = ends[place];
        }
        this.retitle();
        this.fill_table();
      });
    }

    offer_matches() {
      const known = ["matched", "predicted only", "measured only"];
      const found = known.filter((word) => this.marks.some((one) => [...(one.data_source.data.match ?? [])].includes(word)));
      if (found.length < 2) return;
      this.bar("Show", found, () => true, (word, buttons) => {
        if (!this.off.delete(word)) this.off.add(word);
        buttons.forEach((button) => button.setAttribute("aria-pressed", !this.off.has(button.textContent)));
        show();
      });
    }

    bar(title, words, pressed, click) {
      const buttons = words.map((word) => make("button", {type: "button"}, word));
      const bar = make("div", {className: "switch", role: "group", ariaLabel: title}, make("span", {}, title), ...buttons);
      for (const button of buttons) {
        button.setAttribute("aria-pressed", pressed(button.textContent));
        button.addEventListener("click", () => click(button.textContent, buttons));
      }
      this.element.prepend(bar);
    }

    // the rows of the marks, by the lines of their tooltips --------------------------------------------------------

    fill_table() {
      if (!this.rows.open) return;
      const wordy = this.tooltips.map(({heading, lines, marks}) => {
        const {data} = marks.data_source, column = named_by(heading);
        const fill = (template) => {
          const parts = text_of(template).split(/@\{([^}]+)\}|@(\w+)/);
          return (row) => parts.map((part, place) => place % 3 ? part === undefined ? "" : String(data[part]?.[row] ?? "") : part).join("");
        };
        const varied = lines.filter(([, template]) => template.includes("@"));
        const notes = lines.filter(([, template]) => !template.includes("@")).map(([name, text]) => `${name}: ${text_of(text)}`);
        return {marks, names: data[column] ? [...data[column]] : null, head: HEADS[column] ?? "", notes,
                columns: varied.map(([name, template]) => [name, fill(template)])};
      });
      // what another table says too is not said twice: the bars behind those of which a tooltip tells all
      const rows_of = ({names}) => names?.length ?? 0, each = (one, test) => Array.from({length: rows_of(one)}, (_, row) => row).every(test);
      const held = (one, other) => one.names && rows_of(one) === rows_of(other) && each(one, (row) => one.names[row] === other.names[row])
        && one.columns.every(([name, fill]) => other.columns.some(([same, as]) => same === name && each(one, (row) => fill(row) === as(row))));
      const less = (one, other, first) => held(one, other) && (one.columns.length < other.columns.length || !first);
      const whole = wordy.filter((one, place) => !wordy.some((other, index) => other !== one && less(one, other, place < index)));
      const [summary] = this.rows.children;
      this.rows.replaceChildren(summary, ...whole.flatMap((one) => this.table(one, whole.length > 1)));
    }

    table({marks, names, head, columns, notes}, named) {
      const {place} = marks.data_source.data, rows = this.shown(marks);
      if (place) rows.sort((a, b) => place[a] - place[b]);
      const cells = (row) => [...(names ? [names[row]] : []), ...columns.map(([, fill]) => fill(row))];
      const heads = [...(names ? [head] : []), ...columns.map(([name]) => name)];
      const body = rows.slice(0, ROWS).map((row) => make("tr", {}, ...cells(row).map((text) => make("td", {}, text))));
      const count = rows.length > ROWS ? `the first ${counted(ROWS, "row")} of ${counted(rows.length, "row")}` : counted(rows.length, "row");
      const table = make("table", {}, make("caption", {}, named ? `${marks.name.split(".").at(-1).replace("_", " ")}, ${count}` : count),
        make("thead", {}, make("tr", {}, ...heads.map((name) => make("th", {scope: "col"}, name)))), make("tbody", {}, ...body));
      const note = notes.length ? [make("p", {className: "note"}, notes.join("; "))] : [];
      return [make("div", {className: "table", tabIndex: 0, role: "group", ariaLabel: "Rows of this figure"}, table), ...note];
    }
  }

  // all of them ------------------------------------------------------------------------------------------------------

  let drawings = [];
  const bar = document.getElementById("shown");
  const inputs = bar ? [...bar.querySelectorAll("input")] : [];

  // Of each field that has something switched off, what tells whether a label is shown.
  const wanted = () => {
    const found = {};
    for (const field of Object.keys(COLUMNS)) {
      const of = inputs.filter((one) => one.dataset.field === field), off = of.filter((one) => !one.checked);
      if (!off.length) continue;
      const gone = new Set(off.flatMap((one) => field === "device_class" ? JSON.parse(one.dataset.platforms) : [one.value]));
      // a mark of several precisions is shown while one of them is
      const known = new Set(of.map((one) => one.value));
      const several = (label) => field === "precision" && !known.has(label) && label.split(", ").every((part) => gone.has(part));
      found[field] = (label) => !gone.has(label) && !several(label);
    }
    return found;
  };
  const show = () => {
    const fields = wanted(), off = inputs.filter((one) => !one.checked).length;
    if (bar) {
      bar.querySelector("output").textContent = off ? `${off} of ${inputs.length} switched off` : "";
      bar.querySelector("button").hidden = !off;
    }
    for (const one of drawings) one.show(fields);
  };
  if (bar) {
    if (innerWidth < 700 || innerHeight < 700) bar.open = false; // it stays on top, and would take half of a small screen
    bar.addEventListener("change", show);
    bar.addEventListener("dblclick", ({target}) => {
      const input = target.closest("label")?.querySelector("input");
      if (!input) return;
      for (const one of inputs) if (one.dataset.field === input.dataset.field) one.checked = one === input;
      show();
    });
    bar.querySelector("button").addEventListener("click", () => {
      for (const one of inputs) one.checked = true;
      inputs[0].focus({preventScroll: true}); // the button goes
      show();
    });
  }
  // figures of several views
  for (const figure of document.querySelectorAll("figure:has(.views)")) {
    const buttons = [...figure.querySelectorAll(".views button")], views = [...figure.querySelectorAll(".view")];
    buttons.forEach((button, place) => button.addEventListener("click", () => {
      buttons.forEach((one, index) => one.setAttribute("aria-pressed", index === place));
      views.forEach((one, index) => { one.classList.toggle("away", index !== place); one.inert = index !== place; });
    }));
  }
  document.addEventListener("drawn", () => {
    const roots = new Map(Bokeh.documents.flatMap((doc) => doc.roots()).map((root) => [root.id, root]));
    const places = [...document.querySelectorAll(".drawing [data-root-id]")].filter((place) => roots.has(place.dataset.rootId));
    drawings = places.map((place) => new Drawing(place.closest(".view"), roots.get(place.dataset.rootId)));
    show(); // what was switched before they were drawn
  });
})();
