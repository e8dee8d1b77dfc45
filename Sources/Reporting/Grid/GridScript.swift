/// Sorting and copying of tables. The page is complete without it.
enum GridScript {
  static let text = """
    (function () {
      "use strict";
      // A number leads to its cell, which is folded.
      function open() {
        var target = location.hash && document.getElementById(location.hash.slice(1));
        if (target && target.tagName === "DETAILS") { target.open = true; target.scrollIntoView(); }
      }
      addEventListener("hashchange", open);
      open();
      addEventListener("click", function (event) {
        var link = event.target.closest && event.target.closest("a[href^='#c']");
        if (link && link.getAttribute("href") === location.hash) setTimeout(open, 0);
      });

      document.querySelectorAll("table.sortable").forEach(function (table) {
        var body = table.tBodies[0];
        var original = Array.from(body.rows);
        table.tHead.querySelectorAll("th").forEach(function (header, column) {
          header.querySelector("button").addEventListener("click", function () {
            var state = header.getAttribute("aria-sort");
            var next = state === "none" ? "ascending" : state === "ascending" ? "descending" : "none";
            table.tHead.querySelectorAll("th").forEach(function (other) { other.setAttribute("aria-sort", "none"); });
            header.setAttribute("aria-sort", next);
            var rows = original.slice();
            if (next !== "none") {
              var sign = next === "ascending" ? 1 : -1;
              rows.sort(function (a, b) {
                if (column === 0) return sign * a.cells[0].textContent.localeCompare(b.cells[0].textContent, "en", { numeric: true });
                var x = parseFloat(a.cells[column].dataset.value), y = parseFloat(b.cells[column].dataset.value);
                if (isNaN(x) || isNaN(y)) return (isNaN(x) ? 1 : 0) - (isNaN(y) ? 1 : 0);
                return sign * (x - y);
              });
            }
            rows.forEach(function (row) { body.appendChild(row); });
          });
        });
      });

      function copied(button, text) {
        var before = button.textContent;
        button.textContent = text;
        setTimeout(function () { button.textContent = before; }, 1400);
      }
      document.querySelectorAll("button.copy").forEach(function (button) {
        var source = button.nextElementSibling;
        button.addEventListener("click", function () {
          function byHand() {
            var area = document.createElement("textarea");
            area.value = source.value;
            area.style.position = "fixed";
            area.style.opacity = "0";
            document.body.appendChild(area);
            area.select();
            var done = document.execCommand("copy");
            area.remove();
            copied(button, done ? "Copied" : "Not allowed here");
          }
          if (!navigator.clipboard || !navigator.clipboard.writeText) return byHand();
          navigator.clipboard.writeText(source.value).then(function () { copied(button, "Copied"); }, byHand);
        });
      });
    })();
    """
}
