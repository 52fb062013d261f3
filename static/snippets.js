// A comfort, not a need: shows each choice at once, and copies a snippet at a press.
"use strict";
document.documentElement.classList.add("with-script");
const choices = document.getElementById("choices");
const said = document.getElementById("said");

// Around a bar on the page's own colour there is more of that page, in the light or the dark that it is for.
const paint = () => {
  for (const one of document.querySelectorAll("[data-paper]")) {
    const { on, paper } = one.dataset;
    if (!on || matchMedia(`(prefers-color-scheme: ${on})`).matches) one.style.setProperty("--shown", paper);
  }
};
paint();

// The server makes every snippet, so there is one place that knows how; the page is asked for anew and its parts replaced.
let asked = 0;
const show = async () => {
  const mine = ++asked;
  const chosen = new URLSearchParams([...new FormData(choices)].filter(([, value]) => value));
  const address = `${location.pathname}?${chosen}`;
  const answer = await fetch(address);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (mine !== asked || !answer.ok) return;
  for (const id of ["preview", "snippets", "accent_said", "accent_below", "background_below"]) {
    const fresh = page.getElementById(id);
    if (fresh) document.getElementById(id).replaceWith(fresh);
  }
  for (const id of ["accent", "background"]) {
    const [colour, told] = [document, page].map((one) => one.getElementById(id));
    for (const name of ["aria-invalid", "aria-describedby"]) {
      if (told.hasAttribute(name)) colour.setAttribute(name, told.getAttribute(name));
      else colour.removeAttribute(name);
    }
  }
  paint();
  history.replaceState(null, "", address);
};
let waiting;
choices.addEventListener("input", (event) => {
  // Typing a colour chooses it.
  if (event.target.id === "background") choices.querySelector("[name=paper][value=own]").checked = true;
  clearTimeout(waiting);
  waiting = setTimeout(show, event.target.type === "text" ? 400 : 0);
});
choices.addEventListener("submit", (event) => {
  event.preventDefault();
  show();
});

const copy = async (code) => {
  if (navigator.clipboard) return navigator.clipboard.writeText(code.textContent);
  // Without https browsers have no clipboard for scripts, but copy what is marked.
  getSelection().selectAllChildren(code);
  if (!document.execCommand("copy")) throw new Error();
};
addEventListener("click", async (event) => {
  const button = event.target.closest(".copy");
  if (!button) return;
  const code = button.closest(".snippet").querySelector("code");
  const copying = button.dataset.words || button.textContent;
  button.dataset.words = copying;
  try {
    await copy(code);
    button.textContent = said.textContent = said.dataset.copied;
  } catch {
    getSelection().selectAllChildren(code);
    said.textContent = said.dataset.marked;
    button.textContent = said.dataset.press;
  }
  setTimeout(() => { button.textContent = copying; said.textContent = ""; }, 3000);
});
