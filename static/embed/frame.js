// The bar in its frame follows the number while somebody looks at it: it asks within a minute, and at once after the Back
// button. If no answer comes, the bar stays as it is. Browsers that cannot put another style in place keep the bar as it came.
(() => {
  if (!document.adoptedStyleSheets) return;
  const main = document.querySelector("main");
  const [came] = performance.getEntriesByType("navigation");
  let words = main.textContent, seen = false, timer;
  let due = came && came.type === "back_forward" ? 0 : Date.now() + 55000;
  const show = (html) => {
    const page = new DOMParser().parseFromString(html, "text/html"), fresh = page.querySelector("main");
    if (!fresh || fresh.textContent === words) return;
    words = fresh.textContent;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(page.querySelector("style").textContent);
    document.adoptedStyleSheets = [sheet];
    document.styleSheets[0].disabled = true;
    document.title = page.title;
    // The button stays, and so does the reader's focus on it.
    const link = main.querySelector("a"), other = fresh.querySelector("a"), stays = link && other && link.outerHTML === other.outerHTML;
    for (const one of [...main.childNodes]) stays && one === link || one.remove();
    let above = stays;
    for (const one of [...fresh.childNodes]) {
      if (stays && one === other) above = false;
      else if (above) link.before(one);
      else main.append(one);
    }
  };
  const look = () => {
    clearTimeout(timer);
    if (!seen || document.hidden) return;
    if (due > Date.now()) {
      timer = setTimeout(look, due - Date.now());
      return;
    }
    due = Date.now() + 55000;
    const address = location.href.replace(/#.*/, "");
    fetch(address + (/\?/.test(address) ? "&" : "?") + "uncounted=1", { cache: "no-cache", credentials: "omit" })
      .then((answer) => answer.ok && answer.text().then(show)).catch(() => {}).then(look);
  };
  new IntersectionObserver((found) => {
    seen = found[found.length - 1].isIntersecting;
    look();
  }).observe(main);
  document.addEventListener("visibilitychange", look);
  addEventListener("pageshow", (event) => {
    if (event.persisted) due = 0;
    look();
  });
})();
