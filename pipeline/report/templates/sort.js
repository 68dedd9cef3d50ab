"use strict";
// Tables of the class "sortable": a click on a header sorts by its column, a second click reverses the order.
const valueOf = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();

function sortBy(header, kind) {
  const table = header.closest("table");
  const descending = header.getAttribute("aria-sort") === "ascending";
  const compare = (a, b) => {
    const [x, y] = [valueOf(a, header.cellIndex), valueOf(b, header.cellIndex)];
    return kind === "number" ? Number(x) - Number(y) : x.localeCompare(y, "en");
  };
  const rows = [...table.tBodies[0].rows].sort((a, b) => (descending ? compare(b, a) : compare(a, b)));
  table.tBodies[0].append(...rows);
  for (const other of table.querySelectorAll("th[aria-sort]")) other.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
}

for (const button of document.querySelectorAll("table.sortable th button")) {
  button.addEventListener("click", () => sortBy(button.closest("th"), button.dataset.sort));
}
