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
  let table = null;
  if (data) {
    for (const figure of figures) bring_to_life(figure, data.charts[figure.dataset.name]);
    table = make_table(data);
    fill_family_tables(data);
  }
  follow_addresses(table);
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
    if (!moved) go_to_address("instant");
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

// ---- the address: #chapter=NAME, #q=TEXT and #chart=NAME, alone or together, are what is chosen; others are places
const CHOICES = ["chapter", "chart", "q"];

function chosen() {
  const address = new URLSearchParams(location.hash.slice(1));
  return Object.fromEntries(CHOICES.map((name) => [name, address.get(name) || ""]));
}

function address_of(choices) {
  const address = new URLSearchParams(Object.entries(choices).filter(([, text]) => text));
  return `#${address}`.replace(/%3A/g, ":").replace(/%2F/g, "/");
}

function figure_named(name) { // of several runs, the figure of the first
  return document.getElementById(`chart=${name}`) || document.getElementById(`chart=${name}-A`);
}

// Where an address leads: to a figure, to the table, to a chapter, or to the place with its name.
function place_of_address() {
  const { chapter, chart, q } = chosen();
  if (chart && figure_named(chart)) return figure_named(chart);
  if (q) return document.getElementById("figures");
  if (chapter) return document.getElementById("charts");
  return document.getElementById(new URLSearchParams(`place=${location.hash.slice(1)}`).get("place")); // %, too, is an address
}

function go_to_address(behavior) {
  const place = place_of_address();
  if (place) place.scrollIntoView({ behavior });
}

function follow_addresses(table) {
  const chips = [...document.querySelectorAll(".chips a")], search = document.getElementById("search");
  const sections = [...document.querySelectorAll("section.chapter")];
  const link = document.getElementById("link-to-search");

  function show() {
    const { chapter, chart, q } = chosen(), figure = chart && figure_named(chart);
    const wanted = (section) => section.dataset.chapter === chapter;
    const one = sections.some((section) => wanted(section) && (!figure || section.contains(figure)));
    for (const section of sections) section.hidden = one && !wanted(section);
    for (const linked of document.querySelectorAll(".linked")) linked.classList.remove("linked");
    if (figure) figure.classList.add("linked");
    if (search.value.trim() !== q) search.value = q;
    if (table) table.refresh(one ? chapter : "");
    for (const chip of chips) {
      const own = chip.dataset.chapter;
      chip.href = own || q ? address_of({ chapter: own, q }) : "#charts";
      if (own === (one ? chapter : "")) chip.setAttribute("aria-current", "true");
      else chip.removeAttribute("aria-current");
    }
    link.hidden = !q;
    link.href = address_of({ chapter: one ? chapter : "", q });
  }

  document.querySelector(".chips").hidden = false;
  addEventListener("hashchange", () => { show(); go_to_address("instant"); });
  for (const chip of chips) {
    chip.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      const in_table = document.getElementById("figures").getBoundingClientRect().top < innerHeight / 2;
      history.pushState(null, "", chip.hash);
      show();
      document.getElementById(in_table ? "figures" : "charts").scrollIntoView({ behavior: "instant" });
    });
  }
  let typing = false; // a search is a single step back, however many letters it has
  search.addEventListener("input", () => {
    const address = address_of({ chapter: chosen().chapter, q: search.value.trim() });
    history[typing ? "replaceState" : "pushState"](null, "", address);
    typing = true;
    show();
  });
  search.addEventListener("change", () => { typing = false; });
  show();
}

// ---- charts: the value of a point, by pointer or by arrow keys
const REACH = 40; // CSS pixels from the pointer to a point

function view_of(figure) {
  return [...figure.querySelectorAll("svg.view")].find((view) => getComputedStyle(view).display !== "none");
}

function title_of(figure) { // of several runs, with the run's name
  const heading = figure.querySelector("figcaption h3, figcaption h4"), side = heading.querySelector("bdi");
  return `${side ? `${side.textContent}: ` : ""}${heading.lastChild.textContent.trim()}`;
}

function make_tools(figure) {
  for (const tool of figure.querySelectorAll(".tools button, .tools a, .tools summary")) { // the page has many of these
    tool.setAttribute("aria-label", `${tool.textContent.trim()} of: ${title_of(figure)}`);
  }
  for (const button of figure.querySelectorAll("[data-save]")) {
    button.addEventListener("click", () => save(figure, button.dataset.save));
  }
}

const NARROW = matchMedia("(max-width: 40rem)");

// The drawing for a phone: it takes the place of the wide drawing on a narrow screen.
function add_narrow(figure, { box, markup }) {
  const wide = figure.querySelector("svg.view"), svg = document.createElementNS(SVG, "svg");
  const attributes = { class: "view narrow-view", role: "img", viewBox: box.join(" "),
    "aria-label": wide.getAttribute("aria-label") };
  for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, value);
  svg.innerHTML = markup;
  figure.querySelector(".plot").append(svg);
  figure.classList.add("has-narrow");
}

function bring_to_life(figure, { texts, places, words, narrow }) {
  for (const [theme, markup] of Object.entries(words)) {
    figure.querySelector(`svg[data-theme=${theme}]`).dataset.words = markup; // of a chart that is saved
  }
  if (narrow && NARROW.matches) add_narrow(figure, narrow);
  else if (narrow) NARROW.addEventListener("change", () => add_narrow(figure, narrow), { once: true });
  if (!texts.length) return;
  const plot = figure.querySelector(".plot"), value = figure.querySelector(".value");
  const spots = texts.map((text, index) => ({ index, x: places[index][0], y: places[index][1], text }));
  figure.querySelector(".spots").append(...spots.map((spot) => {
    const item = element("li", { textContent: spot.text });
    item.dataset.at = `${spot.x} ${spot.y}`;
    return item;
  }));
  const in_reading_order = [...spots.keys()];
  let current = -1;

  function place_in(svg, spot) {
    return svg.classList.contains("narrow-view") ? narrow.places[spot.index] : [spot.x, spot.y];
  }
  function on_screen(svg, spot) {
    return new DOMPoint(...place_in(svg, spot)).matrixTransform(svg.getScreenCTM());
  }
  function point_to(index) {
    current = index;
    for (const ring of figure.querySelectorAll(".ring")) ring.remove();
    value.hidden = index < 0;
    if (index < 0) return;
    const svg = view_of(figure), spot = spots[index], [x, y] = place_in(svg, spot);
    const ring = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    const attributes = { class: "ring", cx: x, cy: y, r: 13 };
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
  const shown = figure.querySelector(".both-view") || view_of(figure), [width, height] = shown.dataset.whole.split(" ");
  const svg = shown.cloneNode(true);
  for (const name of [...svg.attributes].map((attribute) => attribute.name)) svg.removeAttribute(name);
  for (const ring of svg.querySelectorAll(".ring")) ring.remove();
  svg.insertAdjacentHTML("beforeend", shown.dataset.words || "");
  svg.prepend(own_definitions(svg));
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

// The markers and clips that the charts of the page share, as far as this chart has them.
function own_definitions(svg) {
  const links = [...svg.querySelectorAll("[href], [clip-path]")].map((part) =>
    part.getAttribute("href") || part.getAttribute("clip-path").slice(4, -1));
  const definitions = document.createElementNS(SVG, "defs");
  definitions.append(...[...new Set(links)].map((link) => document.querySelector(link).cloneNode(true)));
  return definitions;
}

async function save(figure, format) {
  const file = as_file(figure);
  let content = new Blob([`<?xml version="1.0" encoding="UTF-8"?>\n${file.markup}\n`], { type: "image/svg+xml" });
  if (format === "png") content = await as_png(content, file.width, file.height);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = `${["chart", figure.dataset.name, side_in_a_file(figure)].filter(Boolean).join("-")}.${format}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

function side_in_a_file(figure) {
  const side = figure.querySelector("figcaption bdi");
  return side && side.textContent.replace(/[^\p{L}\p{N}.]+/gu, "-").replace(/^-|[-.]+$/g, "");
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
const SIZES = [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"], [1, "B"]];
const RATES = [[1e9, "G/s"], [1e6, "M/s"], [1e3, "k/s"], [1, "/s"]];
const STEPS = { time: TIMES, bytes: SIZES, "per second": RATES, share: [[0.01, "%"]], "of the peak": [[0.01, "%"]] };

function three_figures(value) {
  if (Math.abs(value) >= 99.95) return value.toLocaleString("en", { maximumFractionDigits: 0 });
  return String(Number(value.toPrecision(3)));
}
function step_of(steps, value) { return steps.find((step) => value >= step[0]) || steps[steps.length - 1]; }

// A cell's median, low and high: numbers to sort by, how they read, and what they count. `unit`: of times.
function figure_in(cell, row, unit) {
  const of_operation = !row[1];
  let values = cell.slice(0, 3), steps = STEPS[row[4]] || [[1, ""]], kind = row[4];
  if (of_operation && unit === "cycles") [values, steps, kind] = [cell.slice(3, 6), [[1, ""]], "core cycles"];
  if (of_operation && unit === "rate") {
    const rate = (ns) => (ns === null || ns <= 0 ? null : 1e9 / ns);
    [values, steps, kind] = [[rate(values[0]), rate(values[2]), rate(values[1])], RATES, "operations per second"];
  }
  if (kind === "time" && unit === "ns") steps = [[1, ""]];
  if (values[0] === null) return null;
  const [scale, name] = step_of(steps, values[0]);
  const text = (value) => three_figures(value / scale);
  const known = values[1] !== null && values[2] !== null;
  return {
    median: values[0], text: `${text(values[0])}${name && " "}${name}`, kind,
    interval: known ? `${text(values[1])} to ${text(values[2])}` : "",
    width: known && values[0] ? (values[2] - values[1]) / values[0] : -1,
  };
}

function marks_of(cell, row) {
  const [modes, disturbed, processes, planned] = cell.slice(6);
  const marks = [];
  if (modes) {
    const texts = modes.map((mode) => text_in(row[4], mode));
    marks.push(["◆ bimodal", `bimodal, with modes at ${texts.join(" and ")}: the median lies in or between them`]);
  }
  if (disturbed) marks.push([`! ${disturbed}/${processes}`, `${disturbed} of ${processes} processes were disturbed`]);
  if (processes < planned) {
    marks.push([`${processes}/${planned}`, `${processes} of ${planned} processes gave a result`]);
  }
  return marks;
}
function text_in(kind, value) {
  const [scale, unit] = step_of(STEPS[kind] || [[1, ""]], value);
  return `${three_figures(value / scale)}${unit && " "}${unit}`;
}

// ---- a search: words of a benchmark's name, and sizes as people write them: 64 B, 4 KiB, 1 MB, 64 bytes, 4k
const SIZE = /(?<![\w:.,])(\d[\d,]*(?:\.\d+)?)\s*(?:([kmgt])i?(b(?:ytes?)?)?|b(?:ytes?)?)(?![\w:])/gi;
const SIZE_KEYS = "(?:bytes|frame|payload)"; // of the parameters that are the size of what a benchmark uses

function search_for(text) {
  const patterns = [], read = [];
  const rest = text.replace(SIZE, (written, number, prefix = "", unit = "") => {
    const count = Math.round(Number(number.replaceAll(",", "")) * 1024 ** (" kmgt".indexOf(prefix.toLowerCase() || " ")));
    const as_word = prefix && !unit ? `|${written.replace(".", "\\.")}` : ""; // of home:mmap_4k
    patterns.push(new RegExp(`/${SIZE_KEYS}:${count}(?=/|$)${as_word}`, "i"));
    if (prefix) read.push(`; “${written}” means ${count.toLocaleString("en")} bytes`);
    return " ";
  });
  const words = rest.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = ([name, counter]) => patterns.every((pattern) => pattern.test(name))
    && words.every((word) => `${name} ${counter}`.toLowerCase().includes(word));
  return { matches, read: read.join("") };
}

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

// The columns to sort by: the name, then each side's figure, its interval's width and its ratio to the first side. A run
// that stands alone has its marks in a column.
function columns_of({ sides }) {
  const columns = [{ title: "Benchmark", by: (row) => `${row[0]} ${row[1]}`, text: true }];
  sides.forEach(({ letter, name }, side) => {
    const titled = (title) => ({ title, label: letter ? `${name}: ${title.toLowerCase()}` : title, number: true });
    columns.push(
      { ...titled("Median"), kind: (row, unit) => measured(row, side, unit, "kind"),
        by: (row, unit) => measured(row, side, unit, "median") },
      { ...titled("Interval"), by: (row, unit) => measured(row, side, unit, "width") });
    if (side > 0) {
      const title = `${letter} / ${sides[0].letter}`;
      columns.push({ title, label: `${title}: ${name} / ${sides[0].name}`, number: true,
        by: (row) => (row[3][side - 1] ? row[3][side - 1][0] : null) });
    }
  });
  if (sides.length === 1) columns.push({ title: "Marks", by: (row) => (row[2][0] ? marks_of(row[2][0], row).length : 0) });
  return columns;
}
function measured(row, side, unit, key) {
  const figure = row[2][side] && figure_in(row[2][side], row, unit);
  return figure ? figure[key] : null;
}

function head_of(data, columns, sort_by) {
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
  return element("thead", {}, ...(data.sides.length > 1 ? [names_over_columns(data)] : []), row);
}

// Over the columns of each of several sides.
function names_over_columns({ sides }) {
  const names = sides.map(({ letter, name }, side) => element("th", { scope: "colgroup", colSpan: columns_of_side(side) },
    element("span", { className: "letter", textContent: letter }), " ", element("bdi", { textContent: name })));
  return element("tr", {}, element("td"), ...names);
}
function column_groups({ sides }) {
  return sides.length > 1 ? [1, ...sides.map((_, side) => columns_of_side(side))].map((span) => element("colgroup", { span })) : [];
}
function columns_of_side(side) { return side ? 3 : 2; }

function row_of(data, row, unit) {
  const [name, counter, cells, ratios] = row, [family, ...rest] = name.split("/");
  const pieces = rest.flatMap((piece) => ["/", element("wbr"), piece]);
  const title = element("th", { scope: "row" }, family, element("i", {}, ...pieces));
  const words = counter.split(/(?<=_)/).flatMap((word) => [word, element("wbr")]);
  if (counter) title.append(" ", element("em", {}, ...words));
  const made = element("tr", {}, title);
  cells.forEach((cell, side) => {
    const figure = cell && figure_in(cell, row, unit);
    made.append(
      element("td", { className: "number" }, figure ? element("b", { textContent: figure.text }) : "–"),
      element("td", { className: "number quiet", textContent: figure ? figure.interval : "" }));
    if (data.sides.length === 1) made.append(marks_cell(cell, row));
    else if (cell && marks_of(cell, row).length) made.lastChild.append(" ", ...marks_in(cell, row, true));
    if (side > 0) made.append(ratio_cell(ratios[side - 1]));
  });
  return made;
}
function marks_in(cell, row, brief) {
  return marks_of(cell, row).map(([short, long]) => {
    const sign = element("span", { textContent: `${brief ? short[0] : short} ` });
    const mark = element("span", { className: "marks", title: long }, sign);
    sign.setAttribute("aria-hidden", "true");
    mark.append(element("span", { className: "hidden-text", textContent: long }));
    return mark;
  });
}
function marks_cell(cell, row) { return element("td", {}, ...(cell ? marks_in(cell, row, false) : [])); }

function ratio_cell(ratio) {
  if (!ratio) return element("td", { className: "number quiet", textContent: "" });
  const [middle, low, high] = ratio, known = low !== null;
  const apart = known && (low > 1 || high < 1), verdict = low > 1 ? "worse" : "better";
  const cell = element("td", { className: "number" },
    element("b", { className: apart ? verdict : "quiet", textContent: `${three_figures(middle)}×` }));
  const interval = `${three_figures(low || 0)} to ${three_figures(high || 0)}`;
  if (known) cell.append(" ", element("span", { className: "quiet", textContent: interval }));
  if (!apart) cell.title = known ? "no measurable difference: the interval holds 1" : "one process: no interval";
  return cell;
}

// The figures and the charts' values are compressed. A browser that cannot unpack them says so in the table's place.
async function unpacked() {
  try {
    const packed = Uint8Array.from(atob(document.getElementById("data").textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const { sides, figures, kinds, charts } = JSON.parse(await new Response(stream).text());
    return { sides, charts, rows: rows_of(figures, kinds) };
  } catch (error) {
    const message = `The table needs a browser of 2023 or later (${error.message}). The result file has every figure.`;
    document.getElementById("found").textContent = message;
    return null;
  }
}

// A row is the name, the counter or "", for each side its cell or null, for each side after the first its ratio or null,
// and what its figures count: a time, bytes, ...
function rows_of({ names, counters, cells, ratios }, kinds) {
  const row_in = (columns, index) => (columns[0][index] === null ? null : columns.map((column) => column[index]));
  for (const side of cells) around_medians(side, [0, 3]);
  for (const side of ratios) around_medians(side, [0]);
  return names.map((name, index) => [
    name, counters[index], cells.map((side) => row_in(side, index)), ratios.map((side) => row_in(side, index)),
    counters[index] ? kinds[counters[index]] : "time"]);
}

// The two columns after each of these are told by their distance from it, in ten-thousandths of it.
function around_medians(columns, medians) {
  for (const median of medians) {
    for (const end of [median + 1, median + 2]) {
      columns[end] = columns[end].map((distance, index) => {
        const middle = columns[median][index];
        return distance === null || !middle ? distance : middle * (1 + distance / 1e4);
      });
    }
  }
}

function make_table(data) {
  const table = document.getElementById("table"), more = document.getElementById("more");
  const found = document.getElementById("found"), columns = columns_of(data);
  const [search, unit, kind] = ["search", "unit", "kind"].map((id) => document.getElementById(id));
  const chapters = chapters_of_families();
  let sorted = { column: -1, down: false }, chapter = "", rows = [], shown = 0;
  const body = element("tbody");
  table.className = class_of_table(data);
  const caption = "All figures; the buttons in the head sort the table";
  table.append(element("caption", { className: "hidden-text", textContent: caption }), ...column_groups(data),
    head_of(data, columns, sort_by), body);

  function sort_by(column) {
    sorted = { column, down: sorted.column === column ? !sorted.down : false };
    refresh();
  }
  function refresh() {
    const { matches, read } = search_for(search.value);
    rows = data.rows.filter((row) => shown_as(kind.value, row) && matches(row)
      && (!chapter || chapters.get(row[0].split("/")[0]) === chapter));
    if (sorted.column >= 0) rows = in_order(rows, columns[sorted.column], sorted.down, unit.value);
    const number = rows.length.toLocaleString("en"), all = data.rows.length.toLocaleString("en");
    found.textContent = `${rows.length === data.rows.length ? number : `${number} of ${all}`} figures`
      + `${chapter && ` in the chapter ${chapter}`}${read}`;
    if (sorted.column >= 0) rows = with_headings(rows, columns[sorted.column], unit.value);
    table.querySelectorAll("thead tr:last-child th").forEach((cell, index) => {
      if (index === sorted.column) cell.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
    body.replaceChildren();
    shown = 0;
    show_more();
  }
  function show_more() {
    const next = rows.slice(shown, shown + PAGE_OF_ROWS);
    const made = (row) => (typeof row === "string" ? heading_of(row, columns) : row_of(data, row, unit.value));
    body.append(...next.map(made));
    shown += next.length;
    more.hidden = shown >= rows.length;
    document.getElementById("figures").classList.toggle("in-part", !more.hidden);
    const left = rows.length - shown;
    more.textContent = `Show ${Math.min(PAGE_OF_ROWS, left)} more of ${left.toLocaleString("en")}`;
  }
  document.getElementById("controls").addEventListener("submit", (event) => event.preventDefault());
  unit.addEventListener("change", refresh);
  kind.addEventListener("change", refresh);
  more.addEventListener("click", show_more);
  return { refresh(chosen_chapter) { chapter = chosen_chapter; refresh(); } };
}

function class_of_table(data) { return data.sides.length === 1 ? "figures alone" : "figures"; }

function chapters_of_families() {
  const families = [...document.querySelectorAll(".of-family")];
  return new Map(families.map((details) => [details.dataset.family, details.closest(".chapter").dataset.chapter]));
}

// Rows whose figures count different things (times, bytes, shares) are sorted apart, the times of operations first.
function in_order(rows, { by, kind, text }, down, unit) {
  const direction = down ? -1 : 1;
  const keyed = rows.map((row) => [by(row, unit), row, kind ? kind(row, unit) || "" : "", row[1] ? 1 : 0]);
  const first_kinds = [...new Set(keyed.sort((a, b) => a[3] - b[3]).map(([, , name]) => name))];
  keyed.sort(([a, , kind_a], [b, , kind_b]) => {
    if (a === null || b === null) return (a === null) - (b === null); // missing figures come last in both directions
    return first_kinds.indexOf(kind_a) - first_kinds.indexOf(kind_b)
      || direction * (text ? a.localeCompare(b, "en", { numeric: true }) : a - b);
  });
  return keyed.map(([, row]) => row);
}

// The rows, with a heading before those of each kind, where there are several.
function with_headings(rows, { kind }, unit) {
  const kinds = rows.map((row) => (kind && kind(row, unit)) || "");
  if (new Set(kinds).size < 2) return rows;
  const begins = (place) => kinds[place] && kinds[place] !== kinds[place - 1];
  return rows.flatMap((row, place) => (begins(place) ? [kinds[place], row] : [row]));
}
function heading_of(kind, columns) {
  const title = element("th", { scope: "rowgroup", colSpan: columns.length, textContent: `In ${kind}` });
  return element("tr", { className: "kind" }, title);
}

function fill_family_tables(data) {
  for (const details of document.querySelectorAll(".of-family")) {
    details.addEventListener("toggle", () => {
      if (!details.open || details.querySelector("table")) return;
      const rows = data.rows.filter((row) => row[0].split("/")[0] === details.dataset.family && shown_as("main", row));
      const body = element("tbody", {}, ...rows.map((row) => row_of(data, row, "time")));
      const table = element("table", { className: class_of_table(data) }, ...column_groups(data),
        head_of(data, columns_of(data)), body);
      const box = element("div", { className: "scroll", tabIndex: 0 }, table);
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", details.querySelector("summary").textContent);
      details.append(box);
    });
  }
}
