/** Building the page's elements. Text always goes in as text: nothing that came over the wire is ever parsed as HTML. */

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  info: [["circle", { cx: 10, cy: 10, r: 7.5, class: "fill" }], ["path", { d: "M10 9v5M10 6.2v.3", class: "cut" }]],
  warning: [["path", { d: "M10 2.2 18.6 17.4H1.400Z", class: "fill" }], ["path", { d: "M10 7.700v4.400M10 14.600v.3", class: "cut" }]],
  critical: [["path", { d: "M6.500 1.500h7l5 5v7l-5 5h-7l-5-5v-7Z", class: "fill" }], ["path", { d: "M10 5.500v6M10 14.400v.3", class: "cut" }]],
  done: [["circle", { cx: 10, cy: 10, r: 7.5, class: "ring" }], ["path", { d: "M6.600 10.300l2.300 2.400 4.500-5", class: "ring" }]],
  streaming: [["circle", { cx: 10, cy: 10, r: 5.5, class: "fill" }]],
  late: [["circle", { cx: 10, cy: 10, r: 5.5, class: "ring" }], ["path", { d: "M10 4.500a5.500 5.500 0 0 1 0 11Z", class: "fill" }]],
  silent: [["circle", { cx: 10, cy: 10, r: 5.5, class: "ring" }], ["path", { d: "M6 14 14 6", class: "ring" }]],
  spike: [["path", { d: "M10 3.500 17 16H3Z", class: "fill" }]],
  stuck: [["path", { d: "M4.500 4.500h11v11h-11Z", class: "fill" }]],
  saturated: [["path", { d: "M10 2.500 17.500 10 10 17.500 2.500 10Z", class: "fill" }]],
  missing: [["path", { d: "M5 5l10 10M15 5 5 15", class: "ring" }]],
  event: [["path", { d: "M3 4h14v12H3Z", class: "band" }], ["path", { d: "M3 4v12M17 4v12", class: "ring" }]],
};

/** An element with attributes and children; a string child becomes a text node. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, String(value));
  }
  node.append(...children);
  return node;
}

/** One of the page's own shapes, hidden from screen readers: the word stands beside it. */
export function icon(name) {
  const root = document.createElementNS(SVG, "svg");
  root.setAttribute("viewBox", "0 0 20 20");
  root.setAttribute("aria-hidden", "true");
  root.setAttribute("class", `icon icon-${name}`);
  for (const [tag, attributes] of ICONS[name] ?? ICONS.info) {
    const part = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) part.setAttribute(key, String(value));
    root.append(part);
  }
  return root;
}

/** Sets text only where it differs, so that selections and screen readers are left in peace. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Makes a list show `items` in order, keeping the element of each key (and with it the focus). */
export function arrange(list, items, keyOf, make, update) {
  const old = new Map([...list.children].map((node) => [node.dataset.key, node]));
  let before = list.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let node = old.get(key);
    if (node === undefined) {
      node = make(item);
      node.dataset.key = key;
    }
    old.delete(key);
    update(node, item);
    if (node === before) before = before.nextElementSibling;
    else list.insertBefore(node, before);
  }
  for (const node of old.values()) node.remove();
}

export const byId = (id) => document.getElementById(id);
