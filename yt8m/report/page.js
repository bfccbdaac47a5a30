"use strict";
// Without this script everything is there to read; it sorts tables, and says what a point is.
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    if (!head.textContent) return;
    const button = document.createElement("button"), numeric = head.classList.contains("n");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      // Numbers are looked at from the largest, and names from the first.
      const first = numeric ? "descending" : "ascending";
      const other = numeric ? "ascending" : "descending";
      const order = head.getAttribute("aria-sort") === first ? other : first;
      heads.forEach((h) => h.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const value = (row) => {
        const text = row.cells[column].textContent;
        return numeric ? parseFloat(text.replace(/,/g, "")) : text;
      };
      const compare = (a, b) => {
        if (!numeric) return sign * a.localeCompare(b, "en", { numeric: true });
        if (isNaN(a) || isNaN(b)) return isNaN(a) - isNaN(b);
        return sign * (a - b);
      };
      const rows = [...body.rows].map((row) => [value(row), row]);
      rows.sort((a, b) => compare(a[0], b[0]));
      body.append(...rows.map((pair) => pair[1]));
    });
  });
}

const tip = document.createElement("div");
tip.id = "tip";
tip.hidden = true;
tip.setAttribute("aria-hidden", "true");
document.body.append(tip);
document.addEventListener("pointerover", (event) => {
  const text = event.target.getAttribute && event.target.getAttribute("data-tip");
  tip.hidden = !text;
  if (!text) return;
  tip.textContent = text;
  const box = event.target.getBoundingClientRect(), wide = tip.offsetWidth, high = tip.offsetHeight;
  tip.style.left = `${Math.max(4, Math.min(box.right + 6, innerWidth - wide - 4))}px`;
  tip.style.top = `${box.top - high - 6 > 0 ? box.top - high - 6 : box.bottom + 6}px`;
});
