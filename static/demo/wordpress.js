// The side of the conversation that WordPress has with a frame: who may speak, how high it may be, where it may lead.
"use strict";
addEventListener("message", ({ data, source }) => {
  if (!data || !data.secret || !data.message || !data.value || /[^a-zA-Z0-9]/.test(data.secret)) return;
  const frame = document.querySelector(`iframe[data-secret="${data.secret}"]`);
  if (!frame || source !== frame.contentWindow) return;
  for (const quote of document.querySelectorAll(`blockquote[data-secret="${data.secret}"]`)) quote.style.display = "none";
  frame.removeAttribute("style");
  if (data.message === "height") {
    frame.height = Math.min(1000, Math.max(200, parseInt(data.value, 10) || 0));
  } else if (data.message === "link") {
    const from = new URL(frame.getAttribute("src"));
    const to = new URL(data.value);
    if (/^https?:$/.test(to.protocol) && to.host === from.host && document.activeElement === frame) top.location.href = to;
  }
});
document.addEventListener("DOMContentLoaded", () => {
  for (const frame of document.querySelectorAll("iframe.wp-embedded-content")) {
    frame.contentWindow.postMessage({ message: "ready", secret: frame.dataset.secret }, "*");
  }
});
