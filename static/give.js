// A comfort, not a need: typing an amount chooses “Other”, and pressing “Other” goes to the field.
"use strict";
const form = document.getElementById("give");
const typed = document.getElementById("other_amount");
if (form && typed) {
  const chooseOther = () => {
    for (const radio of form.querySelectorAll('input[value="other"]')) radio.checked = true;
  };
  typed.addEventListener("input", () => typed.value.trim() && chooseOther());
  form.addEventListener("change", (event) => {
    if (event.target.name.startsWith("tier_") && event.target.value !== "other") typed.value = "";
  });
  // A hand alone is led to the field: whoever walks through the amounts with the arrow keys stays among them.
  form.addEventListener("click", (event) => {
    if (event.target.matches('label[for$="-other"]')) setTimeout(() => typed.focus());
  });
  form.addEventListener("submit", () => {
    // A second press within the same moment would only open the same checkout again.
    const press = form.querySelector("button");
    setTimeout(() => { press.disabled = true; });
    setTimeout(() => { press.disabled = false; }, 9000);
  });
  addEventListener("pageshow", () => { form.querySelector("button").disabled = false; });
}
const faults = document.querySelector(".faults");
if (faults) faults.focus();
