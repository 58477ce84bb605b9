"use strict";

// ---- the theme: the system's, or the reader's choice, set before anything is painted
const root = document.documentElement;
const remembered = {
  get theme() { try { return localStorage.getItem("stackheap-theme"); } catch { return null; } },
  set theme(value) {
    try { localStorage.setItem("stackheap-theme", value); } catch { /* some browsers store nothing for a page from disk */ }
  },
};
function show_theme(theme) {
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  else delete root.dataset.theme;
}
show_theme(remembered.theme);

document.addEventListener("DOMContentLoaded", async () => {
  follow_theme_switch();
  const figures = document.querySelectorAll(".chart");
  for (const figure of figures) make_tools(figure);
  const data = await unpacked();
  if (data) {
    for (const figure of figures) bring_to_life(figure, data.values[figure.id]);
    make_table(data);
    fill_family_tables(data);
  }
  if (matchMedia("(max-width: 74.99rem)").matches) document.querySelector(".contents details").open = false;
  mark_current_chapter();
  settle();
});

// The browser lays out distant chapters after the first paint. Then every link leads to its place.
function settle() {
  let moved = false;
  const notice = () => { moved = true; };
  for (const event of ["wheel", "touchmove", "keydown", "pointerdown"]) {
    addEventListener(event, notice, { once: true, passive: true });
  }
  requestAnimationFrame(() => setTimeout(() => {
    root.classList.add("settled");
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && !moved) target.scrollIntoView({ behavior: "instant" });
  }, 50));
}

function follow_theme_switch() {
  for (const choice of document.querySelectorAll("[name=theme]")) {
    choice.checked = choice.value === (root.dataset.theme || "auto");
    choice.addEventListener("change", () => { show_theme(choice.value); remembered.theme = choice.value; });
  }
}

function mark_current_chapter() {
  const links = new Map([...document.querySelectorAll(".contents a")].map((link) => [link.hash.slice(1), link]));
  const watcher = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const link = links.get(target.id);
      if (isIntersecting) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }, { rootMargin: "-20% 0px -75% 0px" });
  for (const id of links.keys()) watcher.observe(document.getElementById(id));
}

// ---- charts: the value of a point, by pointer or by arrow keys
const REACH = 40; // CSS pixels from the pointer to a point

function view_of(figure) {
  return [...figure.querySelectorAll("svg.view")].find((view) => getComputedStyle(view).display !== "none");
}

function title_of(figure) { return figure.querySelector("figcaption h3, figcaption h4").textContent.trim(); }

function make_tools(figure) {
  for (const tool of figure.querySelectorAll(".tools button, .tools summary")) { // the page has many of these
    tool.setAttribute("aria-label", `${tool.textContent.trim()} of: ${title_of(figure)}`);
  }
  for (const button of figure.querySelectorAll("[data-save]")) {
    button.addEventListener("click", () => save(figure, button.dataset.save));
  }
}

function bring_to_life(figure, values) {
  if (!values.length) return;
  const plot = figure.querySelector(".plot"), value = figure.querySelector(".value");
  const spots = values.map(([x, y, text]) => ({ x, y, text }));
  figure.querySelector(".spots").append(...spots.map((spot) => {
    const item = element("li", { textContent: spot.text });
    item.dataset.at = `${spot.x} ${spot.y}`;
    return item;
  }));
  const in_reading_order = [...spots.keys()];
  let current = -1;

  function on_screen(svg, spot) {
    return new DOMPoint(spot.x, spot.y).matrixTransform(svg.getScreenCTM());
  }
  function point_to(index) {
    current = index;
    for (const ring of figure.querySelectorAll(".ring")) ring.remove();
    value.hidden = index < 0;
    if (index < 0) return;
    const svg = view_of(figure), spot = spots[index];
    const ring = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    const attributes = { class: "ring", cx: spot.x, cy: spot.y, r: 13 };
    for (const [name, to] of Object.entries(attributes)) ring.setAttribute(name, to);
    svg.append(ring);
    value.textContent = spot.text;
    const box = figure.getBoundingClientRect(), place = on_screen(svg, spot);
    const left = Math.min(Math.max(place.x - box.left - value.offsetWidth / 2, 0), box.width - value.offsetWidth);
    const above = place.y - box.top - value.offsetHeight - 16;
    value.style.left = `${left}px`;
    value.style.top = `${above > 0 ? above : place.y - box.top + 18}px`;
  }
  function bring_into_view(index) {
    const place = on_screen(view_of(figure), spots[index]), box = plot.getBoundingClientRect();
    if (place.x < box.left + 40 || place.x > box.right - 40) plot.scrollLeft += place.x - (box.left + box.right) / 2;
  }
  plot.addEventListener("pointermove", (event) => {
    const svg = view_of(figure);
    let nearest = -1, least = REACH;
    for (const index of in_reading_order) {
      const place = on_screen(svg, spots[index]);
      const distance = Math.hypot(place.x - event.clientX, place.y - event.clientY);
      if (distance < least) [nearest, least] = [index, distance];
    }
    if (nearest !== current) point_to(nearest);
  });
  plot.addEventListener("pointerleave", () => point_to(-1));
  plot.addEventListener("blur", () => point_to(-1));
  plot.addEventListener("keydown", (event) => {
    const last = spots.length - 1;
    const to = {
      ArrowRight: Math.min(current + 1, last), ArrowDown: Math.min(current + 1, last),
      ArrowLeft: Math.max(current - 1, 0), ArrowUp: Math.max(current - 1, 0), Home: 0, End: last, Escape: -1,
    }[event.key];
    if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    if (to >= 0) bring_into_view(to);
    point_to(to);
  });
}

// ---- charts as files: the whole page of the chart, in the colours that are shown
const SVG = "http://www.w3.org/2000/svg", XLINK = "http://www.w3.org/1999/xlink";
const PIXELS = 3840; // width of a PNG: sharp on any projector

function styles_of_charts() {
  const rules = document.getElementById("chart-styles").textContent.matchAll(/\.(s\d+)\{([^}]*)\}/g);
  return new Map([...rules].map(([, name, style]) => [name, style]));
}

function as_file(figure) {
  const chart_styles = styles_of_charts();
  const shown = view_of(figure), [width, height] = shown.dataset.whole.split(" ");
  const svg = shown.cloneNode(true);
  for (const name of [...svg.attributes].map((attribute) => attribute.name)) svg.removeAttribute(name);
  for (const ring of svg.querySelectorAll(".ring")) ring.remove();
  const title = document.createElementNS(SVG, "title"), described = document.createElementNS(SVG, "desc");
  title.textContent = title_of(figure);
  described.textContent = `${title_of(figure)}. ${shown.getAttribute("aria-label")}`;
  svg.prepend(title, described);
  const attributes = { xmlns: SVG, viewBox: `0 0 ${width} ${height}`, width: `${width}pt`, height: `${height}pt`,
    style: "stroke-linejoin:round" };
  for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, value);
  for (const use of svg.querySelectorAll("use")) { // older programs know no other link
    use.setAttributeNS(XLINK, "xlink:href", use.getAttribute("href"));
    use.removeAttribute("href");
  }
  for (const part of svg.querySelectorAll("[class]")) { // a style sheet of its own is more than some programs read
    if (!chart_styles.has(part.getAttribute("class"))) continue;
    part.setAttribute("style", chart_styles.get(part.getAttribute("class")));
    part.removeAttribute("class");
  }
  const colours = getComputedStyle(root);
  const markup = new XMLSerializer().serializeToString(svg);
  const coloured = markup.replace(/var\((--c\d+)\)/g, (_, name) => colours.getPropertyValue(name).trim());
  return { width, height, markup: coloured };
}

async function save(figure, format) {
  const file = as_file(figure);
  let content = new Blob([`<?xml version="1.0" encoding="UTF-8"?>\n${file.markup}\n`], { type: "image/svg+xml" });
  if (format === "png") content = await as_png(content, file.width, file.height);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = `${figure.dataset.file}.${format}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

async function as_png(svg, width, height) {
  const address = URL.createObjectURL(svg), image = new Image();
  const loaded = new Promise((done, failed) => { image.onload = done; image.onerror = failed; });
  image.src = address;
  await loaded;
  const canvas = document.createElement("canvas");
  canvas.width = PIXELS;
  canvas.height = Math.round(PIXELS * height / width);
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(address);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

// ---- figures in words
const TIMES = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]];
const RATES = [[1e9, "G/s"], [1e6, "M/s"], [1e3, "k/s"], [1, "/s"]];

function three_figures(value) {
  if (Math.abs(value) >= 99.95) return value.toLocaleString("en", { maximumFractionDigits: 0 });
  return String(Number(value.toPrecision(3)));
}
function step_of(steps, value) { return steps.find((step) => value >= step[0]) || steps[steps.length - 1]; }

// A cell's median, low and high in a unit: numbers to sort by, and how they read.
function figure_in(cell, counter, unit) {
  let values = cell.slice(0, 3), steps = [[1, ""]];
  if (!counter && unit === "cycles") values = cell.slice(3, 6);
  if (!counter && unit === "time") steps = TIMES;
  if (!counter && unit === "rate") {
    const rate = (ns) => (ns === null || ns <= 0 ? null : 1e9 / ns);
    values = [rate(values[0]), rate(values[2]), rate(values[1])];
    steps = RATES;
  }
  if (values[0] === null) return null;
  const [scale, name] = step_of(steps, values[0]);
  const text = (value) => three_figures(value / scale);
  const known = values[1] !== null && values[2] !== null;
  return {
    median: values[0], text: `${text(values[0])}${name && " "}${name}`,
    interval: known ? `${text(values[1])} to ${text(values[2])}` : "",
    width: known && values[0] ? (values[2] - values[1]) / values[0] : -1,
  };
}

function marks_of(cell, counter, unit) {
  const [modes, disturbed, processes, planned] = cell.slice(6);
  const marks = [];
  if (modes) {
    const texts = modes.map((mode) => (counter ? three_figures(mode) : time_text(mode)));
    marks.push(["◆ bimodal", `bimodal, with modes at ${texts.join(" and ")}: the median lies in or between them`]);
  }
  if (disturbed) marks.push([`! ${disturbed}/${processes}`, `${disturbed} of ${processes} processes were disturbed`]);
  if (processes < planned) {
    marks.push([`${processes}/${planned}`, `${processes} of ${planned} processes gave a result`]);
  }
  return marks;
}
function time_text(ns) { const [scale, unit] = step_of(TIMES, ns); return `${three_figures(ns / scale)} ${unit}`; }

// ---- tables
const PAGE_OF_ROWS = 100;
const QUIET_COUNTERS = ["page_faults"];

function shown_as(kind, row) {
  if (kind === "times") return !row[1];
  return kind === "all" || !QUIET_COUNTERS.includes(row[1]);
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// The columns to sort by: the name, then each side's figure, its interval's width and its marks; then the ratios.
function columns_of(data) {
  const columns = [{ title: "Benchmark", by: (row) => `${row[0]} ${row[1]}`, text: true }];
  data.sides.forEach((letter, side) => {
    columns.push(
      { title: letter ? `${letter}: median` : "Median", number: true,
        by: (row, unit) => measured(row, side, unit, "median") },
      { title: letter ? "±" : "Interval", label: letter ? `${letter}: interval` : "Interval", number: true,
        by: (row, unit) => measured(row, side, unit, "width") });
    if (!letter) columns.push({ title: "Marks", by: (row) => (row[2][0] ? marks_of(row[2][0], row[1]).length : 0) });
  });
  data.sides.slice(1).forEach((letter, later) => columns.push(
    { title: `${letter} / ${data.sides[0]}`, by: (row) => (row[3][later] ? row[3][later][0] : null), number: true }));
  return columns;
}
function measured(row, side, unit, key) {
  const figure = row[2][side] && figure_in(row[2][side], row[1], unit);
  return figure ? figure[key] : null;
}

function head_of(columns, sort_by) {
  const row = element("tr");
  columns.forEach((column, index) => {
    const cell = element("th", { scope: "col", className: column.number ? "number" : "" });
    if (sort_by) {
      const button = element("button", { type: "button", textContent: column.title });
      if (column.label) button.setAttribute("aria-label", column.label);
      button.addEventListener("click", () => sort_by(index));
      cell.append(button);
    } else cell.textContent = column.title;
    row.append(cell);
  });
  return element("thead", {}, row);
}

function row_of(data, row, unit) {
  const [name, counter, cells, ratios] = row, [family, ...rest] = name.split("/");
  const pieces = rest.flatMap((piece) => ["/", element("wbr"), piece]);
  const title = element("th", { scope: "row" }, family, element("i", {}, ...pieces));
  if (counter) title.append(" ", element("em", { textContent: counter }));
  const made = element("tr", {}, title);
  cells.forEach((cell, side) => {
    const figure = cell && figure_in(cell, counter, unit);
    made.append(
      element("td", { className: "number" }, figure ? element("b", { textContent: figure.text }) : "–"),
      element("td", { className: "number quiet", textContent: figure ? figure.interval : "" }));
    if (data.sides.length === 1) made.append(marks_cell(cell, counter));
    else if (cell && marks_of(cell, counter).length) made.lastChild.append(" ", ...marks_in(cell, counter, true));
  });
  for (const ratio of ratios) made.append(ratio_cell(ratio));
  return made;
}
function marks_in(cell, counter, brief) {
  return marks_of(cell, counter).map(([short, long]) => {
    const sign = element("span", { textContent: `${brief ? short[0] : short} ` });
    const mark = element("span", { className: "marks", title: long }, sign);
    sign.setAttribute("aria-hidden", "true");
    mark.append(element("span", { className: "hidden-text", textContent: long }));
    return mark;
  });
}
function marks_cell(cell, counter) { return element("td", {}, ...(cell ? marks_in(cell, counter, false) : [])); }

function ratio_cell(ratio) {
  if (!ratio) return element("td", { className: "number quiet", textContent: "" });
  const [middle, low, high] = ratio, known = low !== null;
  const apart = known && (low > 1 || high < 1), verdict = low > 1 ? "worse" : "better";
  const cell = element("td", { className: "number" },
    element("b", { className: apart ? verdict : "quiet", textContent: `${three_figures(middle)}×` }));
  const interval = ` ${three_figures(low || 0)} to ${three_figures(high || 0)}`;
  if (known) cell.append(element("span", { className: "quiet", textContent: interval }));
  if (!apart) cell.title = known ? "no measurable difference: the interval holds 1" : "one process: no interval";
  return cell;
}

// The figures and the charts' values are compressed. A browser that cannot unpack them says so in the table's place.
async function unpacked() {
  try {
    const packed = Uint8Array.from(atob(document.getElementById("data").textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const { sides, figures, values } = JSON.parse(await new Response(stream).text());
    return { sides, values, rows: rows_of(figures) };
  } catch (error) {
    const message = `The table needs a browser of 2023 or later (${error.message}). The result file has every figure.`;
    document.getElementById("found").textContent = message;
    return null;
  }
}

// A row is the name, the counter or "", for each side its cell or null, for each side after the first its ratio or null.
function rows_of({ names, counters, cells, ratios }) {
  const row_in = (columns, index) => (columns[0][index] === null ? null : columns.map((column) => column[index]));
  return names.map((name, index) => [
    name, counters[index], cells.map((side) => row_in(side, index)), ratios.map((side) => row_in(side, index))]);
}

function make_table(data) {
  const table = document.getElementById("table"), more = document.getElementById("more");
  const found = document.getElementById("found"), columns = columns_of(data);
  const [search, unit, kind] = ["search", "unit", "kind"].map((id) => document.getElementById(id));
  let sorted = { column: -1, down: false }, rows = [], shown = 0;
  const body = element("tbody");
  table.className = "figures";
  const caption = "All figures; the buttons in the head sort the table";
  table.append(element("caption", { className: "hidden-text", textContent: caption }), head_of(columns, sort_by), body);

  function sort_by(column) {
    sorted = { column, down: sorted.column === column ? !sorted.down : false };
    refresh();
  }
  function refresh() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    rows = data.rows.filter((row) => shown_as(kind.value, row)
      && words.every((word) => `${row[0]} ${row[1]}`.toLowerCase().includes(word)));
    if (sorted.column >= 0) {
      const { by, text } = columns[sorted.column], direction = sorted.down ? -1 : 1;
      const keyed = rows.map((row) => [by(row, unit.value), row]);
      keyed.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null); // missing figures come last in both directions
        return direction * (text ? a.localeCompare(b, "en", { numeric: true }) : a - b);
      });
      rows = keyed.map(([, row]) => row);
    }
    table.querySelectorAll("thead th").forEach((cell, index) => {
      if (index === sorted.column) cell.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
    body.replaceChildren();
    shown = 0;
    show_more();
    found.textContent = rows.length === data.rows.length ? `${rows.length.toLocaleString("en")} figures`
      : `${rows.length.toLocaleString("en")} of ${data.rows.length.toLocaleString("en")} figures`;
  }
  function show_more() {
    const next = rows.slice(shown, shown + PAGE_OF_ROWS);
    body.append(...next.map((row) => row_of(data, row, unit.value)));
    shown += next.length;
    more.hidden = shown >= rows.length;
    const left = rows.length - shown;
    more.textContent = `Show ${Math.min(PAGE_OF_ROWS, left)} more of ${left.toLocaleString("en")}`;
  }
  document.getElementById("controls").addEventListener("submit", (event) => event.preventDefault());
  search.addEventListener("input", refresh);
  unit.addEventListener("change", refresh);
  kind.addEventListener("change", refresh);
  more.addEventListener("click", show_more);
  refresh();
}

function fill_family_tables(data) {
  for (const details of document.querySelectorAll(".of-family")) {
    details.addEventListener("toggle", () => {
      if (!details.open || details.querySelector("table")) return;
      const rows = data.rows.filter((row) => row[0].split("/")[0] === details.dataset.family && shown_as("main", row));
      const body = element("tbody", {}, ...rows.map((row) => row_of(data, row, "time")));
      const table = element("table", { className: "figures" }, head_of(columns_of(data)), body);
      const box = element("div", { className: "scroll", tabIndex: 0 }, table);
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", details.querySelector("summary").textContent);
      details.append(box);
    });
  }
}
