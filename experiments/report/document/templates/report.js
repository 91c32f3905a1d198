"use strict";
(() => {
  const table = document.getElementById("overview");
  if (table) {
    const rows = [...table.tBodies[0].rows];
    const articles = new Map(rows.map((row) => [row, document.getElementById(row.dataset.of)]));
    const words = document.getElementById("filter-words");
    const verdict = document.getElementById("filter-verdict");
    const status = document.getElementById("filter-status");
    const filter = () => {
      const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        const fits = (!verdict.value || row.dataset.verdict === verdict.value) &&
          wanted.every((word) => text.includes(word));
        row.hidden = articles.get(row).hidden = !fits;
        shown += fits;
      }
      status.textContent = `${shown} of ${rows.length} shown`;
    };
    words.addEventListener("input", filter);
    verdict.addEventListener("change", filter);
    const keys = (cell) => {
      const number = parseFloat(cell.dataset.key ?? "");
      return Number.isNaN(number) ? cell.textContent.trim().toLowerCase() : number;
    };
    for (const head of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const place = head.cellIndex;
        const compare = (a, b) => {
          const [x, y] = [keys(a.cells[place]), keys(b.cells[place])];
          if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1;
          return (x < y ? -1 : x > y ? 1 : 0) * (up ? 1 : -1);
        };
        const sorted = [...rows].sort(compare);
        table.tBodies[0].append(...sorted);
        for (const row of sorted) articles.get(row).parentNode.append(articles.get(row));
      });
    }
    for (const part of document.querySelectorAll(".controls")) part.hidden = false;
    filter();
  }
  const show = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target) for (const part of target.querySelectorAll("details")) part.open = true;
  };
  addEventListener("hashchange", show);
  show();
  addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details")) part.open = true;
  });
})();
