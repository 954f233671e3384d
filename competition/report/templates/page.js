// Sorting, searching and filtering. All that is shown is in the page; without this script all of it is readable.
"use strict";

document.documentElement.classList.add("js-on");

// Tables: a click on a heading sorts by its column, a second click the other way round.

function valueOf(row, column, kind) {
  const cell = row.cells[column];
  const text = cell.dataset.sort ?? cell.textContent.trim();
  if (kind === "text") return text;
  const number = parseFloat(text.replaceAll(",", "").replace("−", "-"));
  return Number.isNaN(number) ? null : number;
}

function sortTable(table, heading) {
  const column = heading.cellIndex;
  const kind = heading.dataset.kind;
  const was = heading.getAttribute("aria-sort");
  const first = kind === "text" ? "ascending" : "descending";
  const order = was === "descending" ? "ascending" : was === "ascending" ? "descending" : first;
  const sign = order === "ascending" ? 1 : -1;
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", order);
  const keyed = [...table.tBodies[0].rows].map((row) => [valueOf(row, column, kind), row]);
  keyed.sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null); // what is unknown comes last
    return sign * (kind === "text" ? a.localeCompare(b) : a - b);
  });
  table.tBodies[0].append(...keyed.map(([, row]) => row));
}

for (const table of document.querySelectorAll("table.sortable")) {
  table.tHead.addEventListener("click", (event) => {
    const heading = event.target.closest("th[data-kind]");
    if (heading) sortTable(table, heading);
  });
}

// Search of a table's rows by parts of the first two cells.

function searchable(input, table, count) {
  if (!input) return;
  const rows = [...table.tBodies[0].rows].map((row) => [
    `${row.cells[0].textContent} ${row.cells[1].textContent}`.toLowerCase(),
    row,
  ]);
  const show = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let n = 0;
    for (const [text, row] of rows) {
      row.hidden = !words.every((word) => text.includes(word));
      n += !row.hidden;
    }
    count.textContent = `${n} of ${rows.length}`;
  };
  input.addEventListener("input", show);
  show();
}

const byId = (id) => document.getElementById(id);
searchable(byId("tag-search"), byId("tag-table"), byId("tag-count"));
searchable(byId("doubt-search"), byId("doubt-table"), byId("doubt-count"));

// The gallery: an order, filters, and a page at a time.

const STEP = 24;
const gallery = byId("gallery");
if (gallery) {
  const form = byId("ad-tools");
  const ads = [...gallery.children];
  let most = STEP;
  const show = () => {
    const { order, tag, fold, lacks } = Object.fromEntries(new FormData(form));
    const fits = (ad) =>
      (!tag || ad.dataset.tags.includes(` ${tag} `)) &&
      (!fold || ad.dataset.fold === fold) &&
      (!lacks || ad.dataset.lacks.includes(` ${lacks} `));
    ads.sort((a, b) => a.dataset[order] - b.dataset[order]);
    const found = ads.filter(fits);
    const shown = new Set(found.slice(0, most));
    for (const ad of ads) ad.hidden = !shown.has(ad);
    gallery.append(...ads);
    byId("ad-count").textContent = `${shown.size} of ${found.length} ads`;
    byId("more").hidden = shown.size === found.length;
  };
  form.addEventListener("change", () => {
    most = STEP;
    show();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  byId("more").addEventListener("click", () => {
    most += STEP;
    show();
  });
  // A link to an ad that is not shown, here or in the page's address, shows all ads.
  const reveal = (hash) => {
    const ad = byId(hash.slice(1));
    if (!ad || !ad.hidden) return;
    form.reset();
    most = ads.length;
    show();
    ad.scrollIntoView();
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#ad-"]');
    if (link) reveal(link.hash);
  });
  show();
  reveal(location.hash);
}

// The navigation marks the section that is read.

const links = new Map([...document.querySelectorAll("nav a")].map((a) => [a.hash.slice(1), a]));
const seen = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      for (const [id, link] of links) {
        if (id === target.id) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
    }
  },
  { rootMargin: "-20% 0px -75% 0px" },
);
for (const id of links.keys()) seen.observe(byId(id));
