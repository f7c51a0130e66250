"use strict";
(() => {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const themed = (layout) => {
    const look = {
      "font.color": colour("--ink"),
      "hoverlabel.bgcolor": colour("--card"),
      "hoverlabel.bordercolor": colour("--line"),
      "hoverlabel.font.color": colour("--ink"),
    };
    for (const name of Object.keys(layout).filter((one) => /^[xy]axis\d*$/.test(one))) {
      look[`${name}.gridcolor`] = colour("--grid");
      look[`${name}.zerolinecolor`] = colour("--line");
      look[`${name}.linecolor`] = colour("--line");
    }
    return look;
  };
  const axis = { fixedrange: true, automargin: true };
  const common = {
    autosize: true,
    dragmode: false,
    hovermode: "closest",
    bargap: 0.25,
    margin: { l: 52, r: 14, t: 8, b: 44 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { size: 12, family: "system-ui, sans-serif" },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    xaxis: {},
    yaxis: {},
  };
  const whole = (layout) => {
    const found = { ...common, ...layout };
    for (const name of Object.keys(found).filter((one) => /^[xy]axis\d*$/.test(one))) {
      found[name] = { ...axis, ...found[name] };
    }
    return found;
  };
  // plotly is kept compressed, and unpacked for the first chart. The page's policy knows its hash.
  let plotly;
  const unpack = async () => {
    const packed = atob(document.getElementById("plotly").textContent);
    const bytes = Uint8Array.from(packed, (sign) => sign.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
    return window.Plotly;
  };
  const draw = async (plot) => {
    if (plot.dataset.drawn) return;
    plot.dataset.drawn = "begun";
    plotly ??= unpack();
    const drawing = await plotly;
    const { data, layout } = JSON.parse(document.getElementById(plot.dataset.figure).textContent);
    const options = { responsive: true, displayModeBar: false };
    await drawing.newPlot(plot, data, whole(layout), options);
    await drawing.relayout(plot, themed(plot.layout));
    plot.dataset.drawn = "yes";
  };
  const plots = [...document.querySelectorAll(".plot")];
  // Charts are drawn when they come near, so that a page of hundreds opens at once.
  const near = new IntersectionObserver(
    (entries) => entries.filter((one) => one.isIntersecting).forEach((one) => draw(one.target)),
    { rootMargin: "400px" },
  );
  plots.forEach((plot) => near.observe(plot));
  dark.addEventListener("change", () => {
    plots
      .filter((plot) => plot.dataset.drawn === "yes")
      .forEach((plot) => Plotly.relayout(plot, themed(plot.layout)));
  });
  window.addEventListener("beforeprint", () => plots.filter((one) => one.offsetParent).forEach(draw));
  const unfold = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target instanceof HTMLDetailsElement) target.open = true;
  };
  window.addEventListener("hashchange", unfold);
  unfold();
})();
