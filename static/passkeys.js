// Passkeys: asks the browser for one, and sends what it answers with the form that the page brought for it.
"use strict";

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

async function made(options) {
  options.user.id = bytes(options.user.id);
  for (const one of options.excludeCredentials || []) one.id = bytes(one.id);
  const key = await navigator.credentials.create({ publicKey: options });
  const response = {
    attestationObject: text(key.response.attestationObject),
    clientDataJSON: text(key.response.clientDataJSON),
    transports: key.response.getTransports ? key.response.getTransports() : null,
  };
  return { ...named(key), response, extensions: JSON.stringify(key.getClientExtensionResults()) };
}

async function used(options) {
  for (const one of options.allowCredentials || []) one.id = bytes(one.id);
  const key = await navigator.credentials.get({ publicKey: options });
  const { authenticatorData, clientDataJSON, signature, userHandle } = key.response;
  const response = {
    authenticatorData: text(authenticatorData),
    clientDataJSON: text(clientDataJSON),
    signature: text(signature),
    userHandle: userHandle ? text(userHandle) : null,
  };
  return { ...named(key), response };
}

const named = (key) => ({ id: key.id, rawId: text(key.rawId), type: key.type });

async function ask(form) {
  const waits = document.querySelector(".passkey-waits");
  const options = JSON.parse(form.dataset.options);
  options.challenge = bytes(options.challenge);
  waits.hidden = false;
  try {
    const answer = await (form.dataset.do === "create" ? made(options) : used(options));
    form.elements.credential.value = JSON.stringify(answer);
    form.submit();
  } catch {
    // Cancelled, too late, or no passkey there: browsers do not say which.
    waits.hidden = true;
    document.querySelector(".passkey-failed").hidden = false;
  }
}

if (window.PublicKeyCredential) {
  for (const form of document.querySelectorAll(".if-passkeys")) form.hidden = false;
  const form = document.querySelector(".with-passkey");
  if (form) ask(form);
} else {
  const unknown = document.querySelector(".passkey-unknown");
  if (unknown) unknown.hidden = false;
}
