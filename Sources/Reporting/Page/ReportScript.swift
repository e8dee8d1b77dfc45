/// The page's script: interactive curves where the library is there, and open sections on paper.
///
/// The page is complete without it.
enum ReportScript {
  static let text = """
    (function () {
      "use strict";
      addEventListener("beforeprint", function () {
        document.querySelectorAll("details:not([open])").forEach(function (d) { d.open = true; d.dataset.printed = "1"; });
      });
      addEventListener("afterprint", function () {
        document.querySelectorAll("details[data-printed]").forEach(function (d) { d.open = false; delete d.dataset.printed; });
      });

      var data = document.getElementById("chart-data");
      if (!data) return;
      if (!window.Plotly) {
        document.getElementById("plotly-missing").hidden = false;
        return;
      }
      var dashes = ["solid", "dash", "dot", "dashdot", "longdash", "solid", "dash"];
      var markers = ["circle", "square", "diamond", "triangle-up", "triangle-down", "circle", "square"];

      function draw() {
        var css = getComputedStyle(document.documentElement);
        function color(name) { return css.getPropertyValue(name).trim(); }
        JSON.parse(data.textContent).forEach(function (chart) {
          var host = document.getElementById(chart.id);
          var live = host.querySelector(".live");
          if (!live) {
            live = document.createElement("div");
            live.className = "live";
            host.appendChild(live);
          }
          host.classList.add("interactive");  // Before drawing: a hidden element has no width.
          var traces = chart.traces.map(function (t) {
            var stroke = color("--s" + t.style);
            var percent = chart.share && !t.right;
            return {
              name: t.name, x: t.x, y: t.y, type: "scatter", mode: t.x.length > 60 ? "lines" : "lines+markers",
              yaxis: t.right ? "y2" : "y", line: { color: stroke, width: 2.2, dash: dashes[t.style] },
              marker: { color: stroke, size: 6, symbol: markers[t.style] },
              hovertemplate: percent ? "%{y:.1%}" : "%{y:.4g}"
            };
          });
          var axis = { gridcolor: color("--rule"), linecolor: color("--rule"), zeroline: false, nticks: 6 };
          function axisWith(extra) { return Object.assign({}, axis, extra); }
          var numbers = { rangemode: "tozero", tickformat: "~g" };
          var outside = chart.traces.some(function (t) { return t.y.some(function (v) { return v > 1 || v < 0; }); });
          var layout = {
            height: 280, margin: { l: 52, r: chart.right ? 58 : 14, t: 8, b: 40 }, showlegend: false, hovermode: "x unified",
            paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
            font: { family: css.getPropertyValue("--sans"), size: 12, color: color("--muted") },
            hoverlabel: { bgcolor: color("--card"), bordercolor: color("--rule"), font: { color: color("--text") } },
            xaxis: axisWith({ title: { text: "epoch", standoff: 8 }, showgrid: false, hoverformat: "d" }),
            yaxis: axisWith(chart.share ? { tickformat: ".0%", range: outside ? undefined : [-0.02, 1.03] } : numbers)
          };
          var second = { overlaying: "y", side: "right", showgrid: false, tickmode: "auto" };
          if (chart.right) layout.yaxis2 = Object.assign(axisWith(numbers), second);
          Plotly.react(live, traces, layout, { responsive: true, displaylogo: false, displayModeBar: false });
        });
      }
      try {
        draw();
        matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
      } catch (error) {
        document.querySelectorAll(".plot.interactive").forEach(function (p) { p.classList.remove("interactive"); });
        document.getElementById("plotly-missing").hidden = false;
      }
    })();
    """
}
