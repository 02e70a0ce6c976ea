(function () {
  "use strict";

  /* Numbers by their values, those without one last in either direction; words by the alphabet. Equal rows keep their order. */
  function sort(table, header, column) {
    var body = table.tBodies[0];
    var descending = header.getAttribute("aria-sort") === "ascending";
    var numbers = header.classList.contains("number");
    var rows = Array.from(body.rows);
    function key(row) { return row.cells[column].getAttribute("data-value"); }
    rows.sort(function (a, b) {
      var way = descending ? -1 : 1;
      if (!numbers) return way * a.cells[column].textContent.localeCompare(b.cells[column].textContent, "en", { numeric: true });
      if (key(a) === null || key(b) === null) return (key(a) === null ? 1 : 0) - (key(b) === null ? 1 : 0);
      return way * Math.sign(Number(key(a)) - Number(key(b)));
    });
    rows.forEach(function (row) { body.appendChild(row); });
    table.querySelectorAll("thead th").forEach(function (other) { other.setAttribute("aria-sort", "none"); });
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  }

  document.querySelectorAll("table.sortable").forEach(function (table) {
    table.querySelectorAll("thead th").forEach(function (header, column) {
      header.querySelector("button").addEventListener("click", function () { sort(table, header, column); });
    });
  });

  /* Paper cannot be opened: what is folded goes on it, and is folded again afterwards. */
  var opened = [];
  window.addEventListener("beforeprint", function () {
    opened = Array.from(document.querySelectorAll("details:not([open])"));
    opened.forEach(function (details) { details.open = true; });
  });
  window.addEventListener("afterprint", function () { opened.forEach(function (details) { details.open = false; }); });
})();
