// Live updates: on a change the page is asked for anew, and the regions marked
// data-live take in what differs. Reading never loses its place: open details,
// ticked boxes and the focus stay.

const soon = 400; // ms that a change waits for others
const pause = 1500; // ms at least between two refreshes

export function follow(after) {
  if (!document.querySelector("[data-live]")) return;
  const label = document.getElementById("live");
  let timer = 0, last = 0, stale = false;

  const changed = () => {
    stale = true;
    if (timer || document.hidden) return;
    timer = setTimeout(async () => {
      timer = 0;
      stale = false;
      last = Date.now();
      const { swapped, again } = await refresh();
      if (swapped) after();
      if (stale || again) changed();
    }, Math.max(soon, last + pause - Date.now()));
  };

  const events = new EventSource("/api/v1/stream");
  for (const kind of ["order", "delivery", "gap", "run", "reload"]) events.addEventListener(kind, changed);
  const show = (text, lost) => {
    if (!label) return;
    label.hidden = false;
    label.textContent = text;
    label.classList.toggle("lost", lost);
  };
  events.onopen = () => {
    show("Live", false);
    changed(); // what happened since the page was made was not heard
  };
  events.onerror = () => show("Reconnecting", true);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && stale) changed(); });
  addEventListener("pagehide", () => events.close());
  addEventListener("pageshow", (e) => { if (e.persisted) location.reload(); });
}

async function refresh() {
  let answer;
  const here = new URL(location.href);
  here.searchParams.delete("erp"); // no ERP is asked because something changed elsewhere
  try {
    answer = await fetch(here, { headers: { Accept: "text/html" } });
  } catch {
    return {}; // the stream says that it is lost
  }
  if (!answer.ok || answer.redirected) return {};
  const next = new DOMParser().parseFromString(await answer.text(), "text/html");
  let swapped = false;
  for (const old of document.querySelectorAll("[data-live]")) {
    const fresh = next.getElementById(old.id);
    if (fresh && swap(old, fresh)) swapped = true;
  }
  const nav = document.querySelector("#menu ul"), newNav = next.querySelector("#menu ul");
  if (nav && newNav && nav.innerHTML !== newNav.innerHTML) swap(nav, newNav);
  return { swapped, again: next.querySelector("[data-again]") !== null }; // again: something in it is being made anew
}

const shown = new WeakMap(); // what a region last came as, before scripts touched it

function swap(old, fresh) {
  const html = fresh.innerHTML;
  if (plain(html) === plain(shown.get(old) ?? old.innerHTML)) return false;
  const typing = document.activeElement;
  if (old.contains(typing) && typing.matches("input:not([type=checkbox]), textarea, select")) return false;
  const open = new Set([...old.querySelectorAll("details[open][id]")].map((d) => d.id));
  const ticked = new Set([...old.querySelectorAll("input[type=checkbox]:checked")].map((c) => c.value));
  const focus = old.contains(typing) ? path(typing) : null;
  const rows = new Map([...old.querySelectorAll("[data-key]")].map((r) => [r.dataset.key, plain(r.innerHTML)]));
  old.replaceChildren(...fresh.childNodes);
  shown.set(old, html);
  for (const d of old.querySelectorAll("details[id]")) if (open.has(d.id)) d.open = true;
  for (const c of old.querySelectorAll("input[type=checkbox]")) if (ticked.has(c.value)) c.checked = true;
  for (const r of old.querySelectorAll("[data-key]")) if (rows.size && rows.get(r.dataset.key) !== plain(r.innerHTML)) r.classList.add("fresh");
  if (focus) old.querySelector(focus)?.focus({ preventScroll: true });
  return true;
}

// plain leaves out what differs from second to second.
function plain(html) {
  return html.replace(/(<[^>]*data-age[^>]*>)[^<]*/g, "$1").replace(/ class="fresh"| hidden="[^"]*"| data-again="[^"]*"/g, "");
}

function path(e) {
  if (e.id) return "#" + CSS.escape(e.id);
  if (e.getAttribute("href")) return `[href="${CSS.escape(e.getAttribute("href"))}"]`;
  if (e.name && e.value) return `[name="${CSS.escape(e.name)}"][value="${CSS.escape(e.value)}"]`;
  return null;
}
