// <pledge-bar src="…/embed/SLUG"><a href="…/go/SLUG">Support us</a></pledge-bar>
// While there are no numbers the link inside stays; what is shown stays when they fail.
(() => {
const LOOKS = ["theme", "accent", "lang", "size"];
// Style elements and attributes are forbidden by strict pages; this is not.
const sheet = new CSSStyleSheet();
sheet.replaceSync(`
:host { display: block; box-sizing: border-box; width: 100%; container-type: inline-size; }
:host([hidden]) { display: none; }
.bar { all: initial; visibility: inherit; color-scheme: inherit; display: grid; grid-template-columns: 1fr auto; column-gap: 16px; padding: 8px 1px; font: 15px/20px system-ui, sans-serif; color: var(--ink); background: var(--paper);
--ink: light-dark(#17191c, #eceae4); --paper: light-dark(#fff, #16181b); --quiet: light-dark(#5b5f66, #a3a6ac); --accent: var(--own, light-dark(#1c4f82, #8fbdf0)); --accent-ink: var(--own-ink, light-dark(#fff, #10161d)); }
p { grid-column: 1; margin: 0; }
.month { font-size: 12px; line-height: 16px; letter-spacing: .06em; color: var(--quiet); }
.sum { height: 32px; margin-bottom: 6px; overflow: clip; font-size: min(15px, 4.7cqi); }
strong, span { white-space: nowrap; }
strong { font: 600 1.75em/32px Charter, "Bitstream Charter", "Sitka Text", Georgia, serif; }
.support { grid-area: 1/2/3; align-self: center; padding: 0 20px; border-radius: 3px; background: var(--accent); color: var(--accent-ink); font-weight: 600; line-height: 44px; text-align: center; text-decoration: none; white-space: nowrap; }
p.pause { grid-area: 1/2/3; align-self: center; max-width: 9em; font-size: .87em; line-height: 1.3; text-align: end; color: var(--quiet); }
.support:hover { text-decoration: underline; }
.support:focus-visible { outline: 2px solid; outline-offset: -6px; }
.drawing { grid-column: 1/-1; overflow: visible; stroke: var(--quiet); shape-rendering: crispEdges; }
.drawing text { fill: var(--quiet); stroke: none; font-size: 12px; }
.fill { fill: var(--accent); stroke: none; }
.hatch { stroke: var(--accent); }
.edge { stroke: var(--ink); stroke-width: 2; }
.mid { text-anchor: middle; }
.end { text-anchor: end; }
p.notes { grid-area: 4/1/5/3; font-size: 13px; color: var(--quiet); }
.s .sum { height: 26px; margin-bottom: 0; font-size: 13px; }
.s strong { font-size: 20px; line-height: 26px; }
.s .support { padding: 0 14px; font-size: 14px; line-height: 36px; }
.l { font-size: 18px; line-height: 24px; }
.l .month { font-size: 14px; line-height: 20px; }
.l .sum { height: 48px; font-size: clamp(15px, 5cqi - 9px, 18px); }
.l strong { font-size: clamp(26px, 8cqi - 10px, 40px); line-height: 48px; }
.l .support { padding: 0 min(28px, 5cqi); line-height: 52px; }
.l text { font-size: 14px; }
@container (max-width: 419px) {
.support, p.pause { grid-area: 5/1/6/3; margin-top: 10px; }
p.pause { max-width: none; text-align: start; }
.l .sum { font-size: min(18px, 5cqi); }
.l strong { font-size: 9cqi; }
}
@media (forced-colors: active) {
.bar { --ink: CanvasText; --paper: Canvas; --quiet: CanvasText; --accent: Highlight; --accent-ink: HighlightText; }
.drawing, .support { forced-color-adjust: none; }
}`);

const maker = (space) => (name, given, ...inside) => {
  const one = document.createElementNS("http://www.w3.org/" + space, name);
  for (const key in given) one.setAttribute(key, given[key]);
  one.append(...inside);
  return one;
};
const html = maker("1999/xhtml"), svg = maker("2000/svg");

const drawing = ({ fill, committed_to, goal_at, half_at, dir, low }, scale) => {
  const long = (part) => +(part * 100).toFixed(2) + "%";
  const at = (part) => long(dir === "rtl" ? 1 - part : part);
  const block = (from, to, given) => svg("rect", { x: at(dir === "rtl" ? to : from), y: 1, width: long(to - from), height: 12, ...given });
  const line = (part, top, end, given) => svg("line", { x1: at(part), x2: at(part), y1: top, y2: end, ...given });
  const words = (part, text, given) => !low && svg("text", { x: at(part), y: 32, ...given }, text);
  const still = committed_to > fill;
  return svg("svg", { class: "drawing", width: "100%", height: low ? 14 : 36, "aria-hidden": true }, ...[
    still && svg("pattern", { id: "still", width: 6, height: 6, patternUnits: "userSpaceOnUse" }, svg("path", { class: "hatch", d: "M0 6L6 0" })),
    still && block(fill, committed_to, { fill: "url(#still)", stroke: "none" }),
    block(0, 1, { fill: "none" }),
    fill && block(0, fill, { class: "fill" }),
    fill > 0 && fill < 1 && line(fill, 0, 14, { class: "edge" }),
    line(half_at, 1, low ? 13 : 18),
    goal_at < 1 && line(goal_at, 0, low ? 14 : 18, { class: "edge" }),
    goal_at > .25 && words(0, scale[0]),
    goal_at >= .5 && words(half_at, scale[1], { class: "mid" }),
    words(goal_at > .9 ? 1 : goal_at, scale[2], { class: goal_at > .9 ? "end" : goal_at > .2 ? "mid" : "" }),
  ].filter(Boolean));
};

customElements.get("pledge-bar") || customElements.define("pledge-bar", class extends HTMLElement {
  static observedAttributes = ["src", ...LOOKS];
  #due = 0;
  #near; #timer; #asked; #shown; #link; #box;
  #watch = new IntersectionObserver((seen) => {
    this.#near = seen.at(-1).isIntersecting;
    this.handleEvent();
  }, { rootMargin: "400px" });

  connectedCallback() {
    this.#watch.observe(this);
    document.addEventListener("visibilitychange", this);
  }

  disconnectedCallback() {
    this.#watch.disconnect();
    this.#near = false;
    clearTimeout(this.#timer);
    document.removeEventListener("visibilitychange", this);
  }

  attributeChangedCallback() {
    this.#due = 0;
    this.handleEvent();
  }

  // Once a minute at most, and only while somebody may be looking.
  handleEvent() {
    clearTimeout(this.#timer);
    if (!this.#near || document.hidden) return;
    const wait = this.#due - Date.now();
    if (wait > 0) this.#timer = setTimeout(() => this.handleEvent(), wait);
    else this.#load();
  }

  async #load() {
    this.#due = Date.now() + 60000;
    try {
      const url = new URL(this.getAttribute("src"));
      url.pathname = url.pathname.replace(/\/?$/, ".json");
      for (const name of LOOKS) if (this.hasAttribute(name)) url.searchParams.set(name, this.getAttribute(name));
      url.searchParams.set("draw", 1);
      this.#asked = url.href;
      const answer = await fetch(url, { credentials: "omit" });
      const bar = await answer.json();
      if (answer.ok && bar.draw && this.#asked === url.href) this.#show(bar);
    } catch {}
    this.handleEvent();
  }

  #show({ title, labels, give_url, draw }) {
    const shown = JSON.stringify([title, give_url, draw, labels]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    if (!this.#box) {
      // Kept through every change, so that it keeps the focus.
      this.#link = html("a", { class: "support", part: "support", target: "_top" });
      this.#box = html("div", { role: "group", part: "bar" }, this.#link);
      const root = this.attachShadow({ mode: "open" });
      root.adoptedStyleSheets = [sheet];
      root.append(this.#box);
    }
    const box = this.#box, link = this.#link;
    box.className = "bar " + draw.size;
    box.style.colorScheme = draw.theme.replace("auto", "");
    box.lang = draw.lang;
    box.dir = draw.dir;
    box.ariaLabel = title;
    box.style.setProperty("--own", draw.accent);
    box.style.setProperty("--own-ink", draw.ink);
    for (const one of [...box.children]) one === link || one.remove();
    const sum = html("p", { class: "sum" }, html("strong", {}, draw.raised), " ", html("span", {}, draw.towards), html("wbr"), html("span", {}, draw.beyond));
    sum.style.zoom = draw.fit;
    link.before(html("p", { class: "month" }, labels.month), sum);
    link.textContent = draw.support;
    link.href = give_url;
    link.hidden = !draw.support || !/^http/.test(link.protocol);
    if (draw.pause) box.append(html("p", { class: "pause" }, draw.pause));
    if (labels.goal) box.append(drawing(draw, labels.scale));
    if (draw.notes.length) box.append(html("p", { class: "notes" }, draw.notes.join(" · ")));
  }
});
})();
