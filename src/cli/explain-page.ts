/** A training step as one HTML file: the drawn graph, and what stands behind each node. Nothing is loaded from elsewhere. */
import { createHash } from "node:crypto";
import type { Explanation } from "../index.ts";

const escaped = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** A policy names what may run and style the page by what it is, so that nothing a name of a model brings in can. */
const hashOf = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** JSON that can stand in a script element, whatever is in its texts. */
const json = (value: unknown): string => JSON.stringify(value).replaceAll("<", "\\u003c");

type Told = Pick<Explanation, "nodes" | "kernels" | "sources">;

/** The page for a drawing by Graphviz, whose nodes are called n0, n1, … */
export function explainPage(title: string, svg: string, { nodes, kernels, sources }: Told): string {
  const policy = `default-src 'none'; style-src ${hashOf(STYLE)}; script-src ${hashOf(SCRIPT)}; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}: a training step</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${escaped(title)}: a training step</h1>
<p>The loss, and in orange what back-propagation adds. Data flows upwards. Click a node, or go to one with Tab and press Enter;
↓ and ↑ lead to what it is computed from and what uses it.</p>
</header>
<main>
<div id="graph">${withRoles(svg, nodes)}</div>
<aside id="details" aria-live="polite"><p>No node is chosen.</p></aside>
</main>
<script type="application/json" id="data">${json({ nodes, kernels, sources })}</script>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

/** Nodes can be reached by keyboard and have names for a screen reader; edges know their ends. */
function withRoles(svg: string, nodes: Told["nodes"]): string {
  return svg
    .replace(/<g id="node\d+" class="node">\s*<title>n(\d+)<\/title>/g, (_, i: string) => {
      const { name, operation, dtype, shape } = nodes[Number(i)]!;
      const label = escaped(`${name ? `${name}, ` : ""}${operation}, ${dtype} [${shape.join(", ")}]`);
      return `<g id="n${i}" class="node" tabindex="0" role="button" aria-pressed="false" aria-label="${label}"><title>${label}</title>`;
    })
    .replace(
      /<g id="edge\d+" class="edge">\s*<title>n(\d+)(?:->|&#45;&gt;)n(\d+)<\/title>/g,
      '<g class="edge" data-from="$1" data-to="$2">',
    );
}

const STYLE = `
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.45 system-ui, sans-serif; color: #1d1d1f; background: #fff; }
header { padding: 14px 20px 6px; border-bottom: 1px solid #ddd; }
h1 { font-size: 19px; margin: 0; }
header p { margin: 4px 0 8px; color: #555; max-width: 70em; }
main { display: flex; align-items: flex-start; }
#graph { flex: 1 1 auto; min-width: 0; overflow: auto; height: calc(100vh - 98px); padding: 12px; }
#details { flex: 0 0 380px; height: calc(100vh - 98px); overflow: auto; padding: 14px 18px; border-left: 1px solid #ddd; background: #fafafa; }
#details h2 { font-size: 18px; margin: 0 0 8px; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 14px; margin: 0; }
dt { color: #666; }
dd { margin: 0; overflow-wrap: anywhere; }
dd button { margin: 0 6px 4px 0; }
button { font: inherit; font-size: 13px; color: #00507d; background: #fff; border: 1px solid #b9cfdc; border-radius: 5px; padding: 1px 7px; cursor: pointer; max-width: 100%; overflow-wrap: anywhere; text-align: left; }
button:hover { background: #e8f2f8; }
details { margin-top: 10px; }
summary { cursor: pointer; }
pre { font: 11.5px/1.35 ui-monospace, monospace; overflow: auto; max-height: 50vh; padding: 8px; background: #fff; border: 1px solid #ddd; border-radius: 5px; }
.node { cursor: pointer; }
.node ellipse, .node polygon { pointer-events: all; }
.node:focus { outline: none; }
.node:hover ellipse, .node:hover polygon, .node:focus-visible ellipse, .node:focus-visible polygon { stroke: #0072b2; stroke-width: 2.5; }
.node[aria-pressed="true"] ellipse, .node[aria-pressed="true"] polygon { stroke: #0072b2; stroke-width: 4; }
.edge.near path { stroke: #0072b2; stroke-width: 2.5; }
.edge.near polygon { stroke: #0072b2; fill: #0072b2; }
@media (max-width: 900px) { main { display: block; } #graph { height: 60vh; } #details { height: auto; border-left: 0; border-top: 1px solid #ddd; } }
`;

/** Texts are put in as texts, never as HTML. */
const SCRIPT = `
"use strict";
const { nodes, kernels, sources } = JSON.parse(document.getElementById("data").textContent);
const panel = document.getElementById("details");
const users = nodes.map(() => []);
const gradientOf = nodes.map(() => []);
nodes.forEach((node, i) => {
  for (const from of node.inputs) users[from].push(i);
  if (node.gradient !== undefined) gradientOf[node.gradient].push(i);
});
const element = (tag, text, ...children) => {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
};
const nameOf = (i) => nodes[i].name || nodes[i].operation + " [" + nodes[i].shape.join(", ") + "]";
const link = (i) => {
  const button = element("button", nameOf(i));
  button.type = "button";
  button.addEventListener("click", () => choose(i, true));
  return button;
};
const kernelView = (k) => {
  const view = element("details", "", element("summary", "kernel " + k), element("pre", kernels[k]));
  if (sources[k] !== undefined) view.append(element("pre", sources[k]));
  return view;
};
function choose(i, move) {
  const node = nodes[i];
  for (const other of document.querySelectorAll(".node")) other.setAttribute("aria-pressed", String(other.id === "n" + i));
  for (const edge of document.querySelectorAll(".edge"))
    edge.classList.toggle("near", edge.dataset.from === String(i) || edge.dataset.to === String(i));
  const list = element("dl");
  const fact = (name, ...values) => values.length > 0 && list.append(element("dt", name), element("dd", "", ...values));
  fact("operation", node.operation);
  fact("shape", "[" + node.shape.join(", ") + "]");
  fact("dtype", node.dtype);
  fact("part", node.part);
  fact("line", node.site || "none of yours: in gradus, or in one of its recipes");
  fact("inputs", ...node.inputs.map(link));
  fact("used by", ...users[i].map(link));
  if (node.gradient !== undefined) fact("gradient", link(node.gradient));
  fact("gradient of", ...gradientOf[i].map(link));
  const none = ["argument", "variable", "constant"].includes(node.operation)
    ? "none: it is given, not computed"
    : "none of its own: it was simplified away, or is computed in another form";
  fact("kernel", node.kernels.length > 0 ? node.kernels.join(", ") : none);
  panel.replaceChildren(element("h2", node.name || node.operation), list, ...node.kernels.map(kernelView));
  panel.scrollTop = 0;
  const drawn = document.getElementById("n" + i);
  if (!move || !drawn) return;
  drawn.focus();
  drawn.scrollIntoView({ block: "center", inline: "center" });
}
for (const drawn of document.querySelectorAll(".node")) {
  const i = Number(drawn.id.slice(1));
  drawn.addEventListener("click", () => choose(i, false));
  drawn.addEventListener("keydown", (event) => {
    const to = { Enter: i, " ": i, ArrowDown: nodes[i].inputs[0], ArrowUp: users[i][0] }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(to, true);
  });
}
const graph = document.getElementById("graph");
const svg = graph.querySelector("svg");
const loss = nodes.findIndex((node) => node.name === "loss");
// A drawing that is not much too wide is made to fit.
const wide = svg.getBoundingClientRect().width / (graph.clientWidth - 24);
if (wide > 1 && wide < 1.6) { svg.setAttribute("width", "100%"); svg.removeAttribute("height"); }
if (loss >= 0) choose(loss, false);
const first = document.getElementById("n" + loss);
if (first) first.scrollIntoView({ block: "center", inline: "center" });
`;
