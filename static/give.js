// A comfort, not a need: typing an amount chooses “Other” and stands on the button, and pressing “Other” goes to the field.
"use strict";
const form = document.getElementById("give");
const typed = document.getElementById("other_amount");
if (form && typed) {
  const chooseOther = () => {
    for (const radio of form.querySelectorAll('input[value="other"]')) radio.checked = true;
  };
  // Only an amount that can be read in one way alone: what is asked about later must not stand on the button before.
  const mark = form.dataset.decimal;
  const readable = new RegExp(`^\\d{1,9}${mark && `([${mark}]\\d{1,2})?`}$`);
  const sayTheSum = () => {
    const amount = typed.value.trim();
    const known = readable.test(amount);
    const sums = Object.assign({ amount }, known && form.dataset.fee ? withFee(amount) : {});
    for (const place of form.querySelectorAll("[data-sum]")) {
      place.dataset.words = place.dataset.words || place.textContent;
      place.textContent = known ? place.dataset.sum.replace("{}", sums[place.dataset.of]) : place.dataset.words;
    }
    for (const place of form.querySelectorAll(".read")) place.hidden = !known;
    for (const place of form.querySelectorAll(".unread")) place.hidden = known;
  };
  // The same as the server's: what is left after the fee of both is the amount, rounded up to what can be paid.
  const withFee = (text) => {
    const [percent, fixed] = form.dataset.fee.split("+").map(Number);
    const [unit, step] = [form.dataset.unit, form.dataset.step].map(Number);
    const amount = Math.round(Number(mark ? text.replace(mark, ".") : text) * unit);
    const whole = Math.ceil(Math.ceil((amount + fixed) * 10000 / (10000 - percent)) / step) * step;
    const write = (sum) => (sum / unit).toFixed(sum % unit ? String(unit).length - 1 : 0).replace(".", mark);
    return { fee: write(whole - amount), whole: write(whole) };
  };
  typed.addEventListener("input", () => {
    if (typed.value.trim()) chooseOther();
    sayTheSum();
  });
  form.addEventListener("change", (event) => {
    if (event.target.name.startsWith("tier_") && event.target.value !== "other") typed.value = "";
    sayTheSum();
  });
  // A hand alone is led to the field: whoever walks through the amounts with the arrow keys stays among them.
  form.addEventListener("click", (event) => {
    if (event.target.matches('label[for$="-other"]')) setTimeout(() => typed.focus());
  });
  form.addEventListener("submit", () => {
    keepWords();
    // A second press within the same moment would only open the same checkout again.
    setTimeout(() => disable(true));
    setTimeout(() => disable(false), 9000);
  });
  const disable = (now) => {
    for (const one of form.elements) if (one.type === "submit") one.disabled = now;
  };
  sayTheSum();
  // After the Back button the page may be as it was left.
  addEventListener("pageshow", () => {
    disable(false);
    sayTheSum();
  });

  // Name, message and the wish for the newsletter outlive a payment that was cancelled, in this tab alone: addresses end up
  // in the logs of servers.
  const fields = ["name", "message"].map((name) => form.elements[name]);
  const letter = form.elements.newsletter;
  const keepWords = () => inTab((tab) => {
    const words = fields.map((field) => field.value).concat(letter && letter.checked ? "newsletter" : "");
    if (words.some((one) => one.trim())) tab.setItem(keyOf(form.dataset.campaign), JSON.stringify(words));
    else tab.removeItem(keyOf(form.dataset.campaign));
  });
  inTab((tab) => {
    const words = JSON.parse(tab.getItem(keyOf(form.dataset.campaign)) || "[]");
    if (!words.length || fields.some((field) => field.value)) return;
    fields.forEach((field, at) => { field.value = words[at]; });
    if (letter && words[2]) letter.checked = true;
    if (fields.some((field) => field.value)) form.querySelector("details").open = true;
  });
}
// The page of thanks, once the gift is paid.
const given = document.querySelector("[data-given]");
if (given) inTab((tab) => tab.removeItem(keyOf(given.dataset.given)));

function keyOf(campaign) {
  return `words for ${campaign}`;
}
function inTab(act) {
  // Where a browser forbids to store anything, even asking is an error.
  try { act(sessionStorage); } catch (none) { /* then nothing is kept */ }
}

const faults = document.querySelector(".faults");
if (faults) faults.focus();
