// A comfort, not a need: shows each choice at once, and copies a snippet at a press.
"use strict";
document.documentElement.classList.add("with-script");
const choices = document.getElementById("choices");
const said = document.getElementById("said");

// The server makes every snippet, so there is one place that knows how; the page is asked for anew and its parts replaced.
let asked = 0;
const show = async () => {
  const mine = ++asked;
  const chosen = new URLSearchParams([...new FormData(choices)].filter(([, value]) => value));
  const address = `${location.pathname}?${chosen}`;
  const answer = await fetch(address);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (mine !== asked || !answer.ok) return;
  for (const id of ["preview", "snippets", "accent_said", "accent_below"]) {
    const fresh = page.getElementById(id);
    if (fresh) document.getElementById(id).replaceWith(fresh);
  }
  const [colour, told] = [document, page].map((one) => one.getElementById("accent"));
  for (const name of ["aria-invalid", "aria-describedby"]) {
    if (told.hasAttribute(name)) colour.setAttribute(name, told.getAttribute(name));
    else colour.removeAttribute(name);
  }
  history.replaceState(null, "", address);
};
let waiting;
choices.addEventListener("input", (event) => {
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
