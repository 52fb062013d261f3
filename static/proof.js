// Solves the task that is asked for while cards are being tested here, or where very many people share an address: it looks
// for the number that makes a given SHA-256, as Altcha asks (tracker/web/proof_of_work.py). The same file is the page's script
// and the worker that it starts, so that the page stays quick meanwhile.
"use strict";

// --- SHA-256, of text whose beginning stays the same ---------------------------------------------------------------------

const FIRST = new Int32Array(8);
const ROUNDS = new Int32Array(64);
for (let number = 2, found = 0; found < 64; number++) {
  let prime = true;
  for (let by = 2; by * by <= number; by++) if (number % by === 0) prime = false;
  if (!prime) continue;
  if (found < 8) FIRST[found] = (Math.pow(number, 1 / 2) * 4294967296) | 0;
  ROUNDS[found] = (Math.pow(number, 1 / 3) * 4294967296) | 0;
  found++;
}
const words = new Int32Array(64);

// Adds one block, which is in the first sixteen words, to a state.
function addBlock(state) {
  for (let i = 16; i < 64; i++) {
    const a = words[i - 15];
    const b = words[i - 2];
    const near = ((a >>> 7) | (a << 25)) ^ ((a >>> 18) | (a << 14)) ^ (a >>> 3);
    const far = ((b >>> 17) | (b << 15)) ^ ((b >>> 19) | (b << 13)) ^ (b >>> 10);
    words[i] = (words[i - 16] + near + words[i - 7] + far) | 0;
  }
  let a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
  for (let i = 0; i < 64; i++) {
    const high = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const one = (h + high + ((e & f) ^ (~e & g)) + ROUNDS[i] + words[i]) | 0;
    const low = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const two = (low + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g; g = f; f = e; e = (d + one) | 0; d = c; c = b; b = a; a = (one + two) | 0;
  }
  state[0] += a; state[1] += b; state[2] += c; state[3] += d; state[4] += e; state[5] += f; state[6] += g; state[7] += h;
}

function put(text, from) {
  words.fill(0, 0, 16);
  for (let i = 0; i < 64 && from + i < text.length; i++) words[i >> 2] |= text.charCodeAt(from + i) << (24 - (i & 3) * 8);
}

// A function that tries numbers for some milliseconds, and returns the right one, or -1 while it has not found it.
function solver(task) {
  const wanted = new Int32Array(8);
  for (let i = 0; i < 8; i++) wanted[i] = parseInt(task.challenge.substr(i * 8, 8), 16);
  const begun = FIRST.slice();
  const whole = task.salt.length - (task.salt.length % 64);
  for (let at = 0; at < whole; at += 64) {
    put(task.salt, at);
    addBlock(begun);
  }
  const rest = task.salt.slice(whole);
  const state = new Int32Array(8);
  let number = 0;
  return (milliseconds) => {
    const until = Date.now() + milliseconds;
    for (; number <= task.maxnumber; number++) {
      const text = rest + number;
      state.set(begun);
      put(text, 0);
      if (text.length > 55) {
        if (text.length < 64) words[text.length >> 2] |= 0x80 << (24 - (text.length & 3) * 8);
        addBlock(state);
        put(text, 64);
      }
      if (text.length < 56 || text.length > 63) words[(text.length & 63) >> 2] |= 0x80 << (24 - (text.length & 3) * 8);
      words[15] = (whole + text.length) * 8;
      addBlock(state);
      if (state[0] === wanted[0] && state.every((word, at) => word === wanted[at])) return number;
      if ((number & 1023) === 1023 && Date.now() > until) {
        number++;
        return -1;
      }
    }
    throw new Error("no number solves the task");
  };
}

// --- The worker, and the page --------------------------------------------------------------------------------------------

if (typeof document === "undefined") {
  onmessage = (event) => postMessage(solver(event.data)(Infinity));
} else {
  const field = document.getElementById("proof");
  const task = JSON.parse(field.dataset.task);
  const form = field.form;
  const note = document.getElementById("task_note");
  const faults = document.querySelector(".faults");
  let goesOn = field.dataset.asked === "by itself";
  let waits = false;
  let solved = false;
  let pressed = null;

  const solve = (then) => {
    const here = () => {
      const more = solver(task);
      const step = () => {
        const number = more(20);
        if (number < 0) setTimeout(step);
        else then(number);
      };
      step();
    };
    try {
      const worker = new Worker(document.querySelector('script[src*="proof.js"]').src);
      worker.onmessage = (event) => {
        worker.terminate();
        then(event.data);
      };
      worker.onerror = (event) => {
        event.preventDefault();
        worker.terminate();
        here();
      };
      worker.postMessage(task);
    } catch (none) {
      // Some browsers forbid workers, or have none.
      here();
    }
  };
  const say = (before) => {
    before.parentNode.insertBefore(note, before);
    note.hidden = false;
    note.textContent = note.dataset.words;
  };
  const add = (name, value) => {
    const more = document.createElement("input");
    more.type = "hidden";
    more.name = name;
    more.value = value;
    form.appendChild(more);
  };
  const send = () => {
    if (goesOn) add("resent", "1");
    if (pressed && pressed.name) add(pressed.name, pressed.value);
    goesOn = waits = false;
    form.submit();
  };
  // No sooner is a form taken.
  const soonest = Date.now() + field.dataset.least * 1000 + 300;
  const whenSolved = () => {
    if (goesOn || waits) setTimeout(() => (goesOn || waits) && send(), soonest - Date.now());
  };

  document.addEventListener("click", (event) => {
    pressed = event.target.closest ? event.target.closest("button") : null;
  });
  form.addEventListener("submit", (event) => {
    goesOn = false;
    if (solved && Date.now() >= soonest) return;
    event.preventDefault();
    waits = true;
    if (event.submitter) pressed = event.submitter;
    say(form.querySelector(".press"));
    if (solved) whenSolved();
  });
  // Whoever changes something wants to press once more.
  form.addEventListener("change", () => {
    if (!goesOn) return;
    goesOn = false;
    note.hidden = true;
    if (faults) faults.hidden = false;
  });
  if (goesOn) {
    if (faults) faults.hidden = true;
    say(form.firstChild);
  }
  solve((number) => {
    const told = { algorithm: task.algorithm, challenge: task.challenge, number, salt: task.salt, signature: task.signature };
    field.value = btoa(JSON.stringify(told));
    solved = true;
    whenSolved();
  });
}
