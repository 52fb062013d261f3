// Follows the bar on the evening of a drive: asks for this page again, and takes over what is new. Nothing moves otherwise.
"use strict";
(function () {
  var AGAIN = 3000, LOST = 20000, heard = Date.now();
  var before = document.querySelector("main").outerHTML;

  function take(page) {
    var read = new DOMParser().parseFromString(page, "text/html"), main = read.querySelector("main");
    heard = Date.now();
    if (!main || main.outerHTML === before) return;
    before = main.outerHTML;
    document.querySelector("main").replaceWith(main);
    document.title = read.title;
  }

  function look() {
    // With what the browser has of it: where nothing has changed, the server says so in a line.
    fetch(location.href, {cache: "no-cache", credentials: "omit"}).then(function (answer) {
      if (!answer.ok) throw new Error(answer.status);
      return answer.text();
    }).then(take).catch(function () {}).then(function () {
      document.querySelector(".lost").hidden = Date.now() - heard < LOST;
      setTimeout(look, AGAIN);
    });
  }

  setTimeout(look, AGAIN);
})();
