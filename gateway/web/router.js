/** Which view is up: the part of the address after `#`, such as `#alert/0f3a` or `#explore?from=...`. */

import { byId, say } from "./dom.js";

const TITLES = { now: "Now", alert: "Alert", explore: "Explore", stations: "Stations", history: "History", settings: "Settings" };

/** `{view, id, query}` of an address's hash; anything unknown is the view of now. */
export function parseHash(hash) {
  const [path, query = ""] = hash.replace(/^#/, "").split("?");
  const [view, id = null] = path.split("/");
  return view in TITLES ? { view, id: id && decodeURIComponent(id), query: new URLSearchParams(query) } : { view: "now", id: null, query: new URLSearchParams() };
}

export const go = (hash) => (location.hash = hash);

/** Changes the address without a step in the browser's history and without a new showing of the view. */
export const rewrite = (hash) => history.replaceState(null, "", hash);

export class Router {
  /** `views`: by name, each with `show({id, query})` and optionally `hide()`. */
  constructor(views) {
    this.views = views;
    this.view = null;
    this.places = new Map();
    window.addEventListener("hashchange", () => this.follow());
    document.querySelector(".skip").addEventListener("click", (event) => {
      event.preventDefault();
      byId("main").focus();
    });
  }

  /** The gateway has been asked for everything anew. */
  refreshed() {
    this.views[this.view]?.refreshed?.();
  }

  /** Shows what the address says. Focus goes to the heading, unless the page has only just been opened. */
  follow() {
    const { view, id, query } = parseHash(location.hash);
    const first = this.view === null;
    const other = view !== this.view;
    if (other && !first) {
      this.places.set(this.view, scrollY);
      this.views[this.view]?.hide?.();
    }
    this.view = view;
    for (const name of Object.keys(TITLES)) byId(`view-${name}`).hidden = name !== view;
    for (const way of document.querySelectorAll(".ways a")) {
      const here = way.dataset.view === view || (view === "alert" && way.dataset.view === "now");
      if (here) way.setAttribute("aria-current", "page");
      else way.removeAttribute("aria-current");
    }
    say(byId("view-title"), TITLES[view]);
    this.views[view]?.show?.({ id, query });
    if (first) return;
    byId("view-title").focus({ preventScroll: true });
    scrollTo(0, other && view === "now" ? (this.places.get(view) ?? 0) : 0);
  }
}
