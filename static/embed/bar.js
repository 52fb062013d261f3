// <pledge-bar src="…/embed/SLUG"><a href="…/go/SLUG">Support us</a></pledge-bar>
// While there are no numbers the link inside stays; what is shown stays when they fail.
// Browsers of ten years read this: one word of grammar that is newer, and all of it would be an error on somebody's page.
(() => {
if (!window.customElements || customElements.get("pledge-bar") || !window.fetch || !HTMLElement.prototype.attachShadow) return;
const LOOKS = ["theme", "background", "accent", "corners", "lang", "size"];
const COLOURS = ["--paper", "--ink", "--quiet", "--accent", "--accent-ink"];
const STYLE = `
:host { display: block; box-sizing: border-box; width: 100%; }
:host([hidden]) { display: none; }
.bar { all: initial; visibility: inherit; display: grid; grid-template-columns: 1fr auto; grid-column-gap: 16px; padding: 8px 1px; font: 15px/20px system-ui, sans-serif; color: var(--ink); background: var(--paper);
--ink: #17191c; --paper: #fff; --quiet: #5b5f66; --accent: #1c4f82; --accent-ink: #fff; }
.dark { --ink: #eceae4; --paper: #16181b; --quiet: #a3a6ac; --accent: #8fbdf0; --accent-ink: #10161d; }
@supports (color: light-dark(#000, #000)) {
.bar.bar { color-scheme: inherit; --ink: light-dark(#17191c, #eceae4); --paper: light-dark(#fff, #16181b); --quiet: light-dark(#5b5f66, #a3a6ac); --accent: light-dark(#1c4f82, #8fbdf0); --accent-ink: light-dark(#fff, #10161d); }
}
p { grid-column: 1; margin: 0; }
.month { overflow: hidden; text-overflow: ellipsis; font-size: 12px; line-height: 16px; letter-spacing: .06em; color: var(--quiet); }
.sum { height: 32px; margin-bottom: 6px; overflow: hidden; }
.month, strong, span { white-space: nowrap; }
strong { font: 600 1.75em/32px Charter, "Bitstream Charter", "Sitka Text", Georgia, serif; }
.support { grid-area: 1/2/3; align-self: center; padding: 0 20px; border-radius: 3px; background: var(--accent); color: var(--accent-ink); font-weight: 600; line-height: 44px; text-align: center; text-decoration: none; white-space: nowrap; }
p.pause { grid-area: 1/2/3; align-self: center; font-size: 13px; line-height: 1.3; text-align: end; color: var(--quiet); }
.square .support { border-radius: 0; }
.round .support { border-radius: 99px; }
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
.s .sum { height: 26px; margin-bottom: 0; }
.s strong { font-size: 1.54em; line-height: 26px; }
.s .support { padding: 0 14px; font-size: 14px; line-height: 36px; }
.s .pause { font-size: 12px; }
.l { font-size: 18px; line-height: 24px; }
.l .month { font-size: 14px; line-height: 20px; }
.l .sum { height: 48px; }
.l strong { font-size: 2.22em; line-height: 48px; }
.l .support { padding: 0 24px; line-height: 52px; }
.l .pause { font-size: 15px; }
.l text { font-size: 14px; }
.narrow { grid-column-gap: 0; }
.narrow .support, .narrow p.pause { grid-area: 5/1/6/3; margin-top: 10px; }
.narrow p.pause { text-align: start; }
@media (forced-colors: active) {
.bar.bar { --ink: CanvasText !important; --paper: Canvas !important; --quiet: CanvasText !important; --accent: Highlight !important; --accent-ink: HighlightText !important; }
.drawing, .support { forced-color-adjust: none; }
}`;

const maker = (space) => (name, given, ...inside) => {
  const one = document.createElementNS("http://www.w3.org/" + space, name);
  for (const key in given) one.setAttribute(key, given[key]);
  one.append(...inside);
  return one;
};
const html = maker("1999/xhtml"), svg = maker("2000/svg");

// Style elements and attributes are forbidden by strict pages; a sheet of this kind is not.
let sheet;
try {
  sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
} catch (older) {
  sheet = null;
}
// Where there is no such sheet, a strict page keeps the link.
const mayBeStyled = (host) => {
  const probe = html("style", {}, "a{}");
  if (!sheet) host.append(probe);
  const may = sheet || probe.sheet;
  probe.remove();
  return may;
};

// On a page that changes between light and dark the colours change with it; older browsers get those of the moment.
const both = window.CSS && CSS.supports && CSS.supports("color", "light-dark(#000,#fff)");

const isDark = (host, theme) => {
  const scheme = theme === "auto" ? getComputedStyle(host).colorScheme || "" : theme;
  return /dark/.test(scheme) && (!/light/.test(scheme) || matchMedia("(prefers-color-scheme: dark)").matches);
};

const drawing = ({ fill, committed_to, goal_at, half_at, dir, low, scale }) => {
  const long = (part) => +(part * 100).toFixed(2) + "%";
  const at = (part) => long(dir === "rtl" ? 1 - part : part);
  const block = (from, to, given) => svg("rect", Object.assign({ x: at(dir === "rtl" ? to : from), y: 1, width: long(to - from), height: 12 }, given));
  const line = (part, top, end, given) => svg("line", Object.assign({ x1: at(part), x2: at(part), y1: top, y2: end }, given));
  const words = (part, text, given) => !low && svg("text", Object.assign({ x: at(part), y: 32 }, given), text);
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
    goal_at >= .5 && words(half_at, scale[1], { class: "mid half" }),
    words(goal_at > .9 ? 1 : goal_at, scale[2], { class: goal_at > .9 ? "end" : goal_at > .2 ? "mid" : "" }),
  ].filter(Boolean));
};

customElements.define("pledge-bar", class extends HTMLElement {
  static get observedAttributes() {
    return ["src", ...LOOKS];
  }

  connectedCallback() {
    this._due = 0;
    this._watches = [
      window.IntersectionObserver && new IntersectionObserver((seen) => {
        this._near = seen[seen.length - 1].isIntersecting;
        this.handleEvent();
      }, { rootMargin: "400px" }),
      window.ResizeObserver && new ResizeObserver(() => this._fit()),
    ].filter(Boolean);
    for (const one of this._watches) one.observe(this);
    this._near = !window.IntersectionObserver;
    document.addEventListener("visibilitychange", this);
    window.addEventListener("pageshow", this);
    this.handleEvent();
  }

  disconnectedCallback() {
    for (const one of this._watches) one.disconnect();
    this._near = false;
    clearTimeout(this._timer);
    document.removeEventListener("visibilitychange", this);
    window.removeEventListener("pageshow", this);
  }

  attributeChangedCallback() {
    this._due = 0;
    this._again = false;
    this.handleEvent();
  }

  // Within a minute, and only while somebody may be looking; at once after the Back button, which shows the page as it was.
  handleEvent(event) {
    if (event && event.persisted) this._due = 0;
    this._fit();
    clearTimeout(this._timer);
    if (!this._near || document.hidden) return;
    const wait = this._due - Date.now();
    if (wait > 0) this._timer = setTimeout(() => this.handleEvent(), wait);
    else this._load();
  }

  _load() {
    this._due = Date.now() + 55000;
    const again = () => this.handleEvent();
    try {
      const url = new URL(this.getAttribute("src"));
      url.pathname = url.pathname.replace(/\/?$/, ".json");
      for (const name of LOOKS) if (this.hasAttribute(name)) url.searchParams.set(name, this.getAttribute(name));
      url.searchParams.set("draw", 1);
      // A page that is still open is not a new load.
      if (this._again) url.searchParams.set("uncounted", 1);
      this._again = true;
      this._asked = url.href;
      fetch(url.href, { credentials: "omit", referrerPolicy: "no-referrer", cache: "no-cache" })
        .then((answer) => answer.json().then((bar) => {
          if (answer.ok && bar.draw && this._asked === url.href) this._show(bar);
        }))
        .catch(() => {}).then(again);
    } catch (none) {
      again();
    }
  }

  _show({ title, give_url, draw }) {
    Object.assign(draw, draw.now);
    const dark = isDark(this, draw.theme);
    const shown = JSON.stringify([title, give_url, draw, dark]);
    if (shown === this._shown) return;
    if (!this._box) {
      if (!mayBeStyled(this)) return;
      // Kept through every change, so that it keeps the focus.
      this._link = html("a", { class: "support", part: "support", target: "_top", referrerpolicy: "no-referrer" });
      this._box = html("div", { role: "group", part: "bar" }, this._link);
      const root = this.attachShadow({ mode: "open" });
      if (sheet) root.adoptedStyleSheets = [sheet];
      else root.append(html("style", {}, STYLE));
      root.append(this._box);
    }
    this._shown = shown;
    this._room = draw.room;
    const box = this._box, link = this._link;
    box.className = "bar " + draw.size + " " + draw.corners + (dark ? " dark" : "");
    box.style.colorScheme = draw.theme.replace("auto", "");
    box.lang = draw.lang;
    box.dir = draw.dir;
    box.setAttribute("aria-label", title);
    for (const name of COLOURS) {
      const pair = (draw.colours || {})[name] || ["", ""];
      box.style.setProperty(name, both && pair[0] ? "light-dark(" + pair + ")" : pair[+dark]);
    }
    for (const one of [...box.children]) one === link || one.remove();
    link.before(
      html("p", { class: "month" }, draw.heading),
      html("p", { class: "sum" }, html("strong", {}, draw.raised), " ", html("span", {}, draw.towards), html("wbr"), html("span", {}, draw.beyond)),
    );
    link.textContent = draw.support;
    // Where the campaign leads readers back, with the article's address: never what is behind its question mark.
    link.href = give_url + (draw.back && draw.back + encodeURIComponent(location.origin + location.pathname));
    link.hidden = !draw.support || !/^http/.test(link.protocol);
    if (draw.pause) box.append(html("p", { class: "pause" }, draw.pause));
    if (draw.scale[1]) box.append(drawing(draw));
    const notes = html("p", { class: "notes" });
    draw.notes.forEach((line, at) => notes.append(" ", html("span", {}, line + (draw.notes[at + 1] ? " ·" : ""))));
    if (draw.notes[0]) box.append(notes);
    this._fit();
  }

  // What is too long for the room that the page gives is smaller, as in the frame.
  _fit() {
    const wide = this._box ? this._box.offsetWidth : 0;
    if (!wide) return;
    const { words, times, amount, towards, lines, match, beside, pause, half } = this._room, narrow = wide < 420;
    const one = (name) => this._box.querySelector(name) || { style: {} };
    this._box.classList.toggle("narrow", narrow);
    const size = (name, pixels) => one(name).style.fontSize = pixels + "px";
    const room = wide - 2 - (narrow ? 0 : beside) - amount[1] - towards[1];
    // The amount becomes smaller first, and then its words with it.
    const both = Math.min(words, room / (towards[0] + 1.2 * amount[0]));
    size(".sum", both);
    size("strong", Math.max(1.2 * both, Math.min(times * words, (room - both * towards[0]) / amount[0])));
    // A match says who doubles the gifts where there is room for it.
    if (match) one(".notes span").textContent = match[+narrow];
    size(".notes", Math.min(13, (wide - 2 - lines[+narrow][1]) / lines[+narrow][0]));
    one(".pause").style.width = narrow ? "" : pause + "px";
    one(".half").style.display = wide < half ? "none" : "";
  }
});
})();
