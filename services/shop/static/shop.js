// Keeps an open order page fresh; without it the page shows what was known when it was opened.
"use strict";
const seconds = Number(document.getElementById("live")?.dataset.refresh);

function writing() {
  const live = document.getElementById("live");
  return live.contains(document.activeElement) || live.querySelector("details[open]") !== null ||
    [...live.querySelectorAll("textarea, input")].some((field) => field.value !== field.defaultValue);
}

async function refresh() {
  if (!document.hidden && !writing()) {
    try {
      const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
      const live = document.getElementById("live");
      if (answer.ok && fresh && fresh.innerHTML !== live.innerHTML && !writing()) {
        live.replaceWith(fresh);
        document.getElementById("news").textContent = fresh.querySelector("h2").textContent;
      }
      if (fresh && !fresh.dataset.refresh) return;
    } catch {
      // The shop does not answer just now; the next time it may.
    }
  }
  setTimeout(refresh, seconds * 1000);
}

if (seconds) setTimeout(refresh, seconds * 1000);
