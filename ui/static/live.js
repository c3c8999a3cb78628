// Live updates: on a change the page is asked for anew, and the regions marked
// data-live take in what differs. Reading never loses its place: open details,
// ticked boxes and the focus stay.

const soon = 400; // ms that a change waits for others
const pause = 1500; // ms at least between two refreshes; twice as long after each that failed
const firstWait = 1000; // ms until a stream that was refused is asked for again; then twice as long each time
const longestWait = 30000;

export function follow(after) {
  if (!document.querySelector("[data-live]")) return;
  const label = document.getElementById("live");
  let timer = 0, last = 0, stale = false, failed = false, rest = pause; // of refreshes
  let events = null, wait = firstWait, again = 0; // of the stream

  const show = (what, lost) => {
    if (!label) return;
    label.hidden = false;
    if (label.textContent !== (what.textContent ?? what)) label.replaceChildren(what); // what is said anew is read out anew
    label.classList.toggle("lost", lost);
  };

  const streams = () => events?.readyState === EventSource.OPEN;

  // tell says that the page is live only where changes are heard and were taken in.
  const tell = () => show(streams() && !failed ? "Live" : "Reconnecting", !streams() || failed);

  const look = async () => {
    const seen = await refresh();
    if (seen.swapped) after();
    failed = seen.failed ?? false;
    rest = failed ? Math.min(2 * rest, longestWait) : pause;
    if (seen.out) {
      close();
      show(wayIn(), true);
    } else tell();
    return seen;
  };

  const changed = () => {
    stale = true;
    if (timer || document.hidden) return;
    timer = setTimeout(async () => {
      timer = 0;
      stale = false;
      last = Date.now();
      const { unfinished } = await look();
      if (stale || unfinished || failed && streams()) changed(); // a stream that opens anew asks by itself
    }, Math.max(soon, last + rest - Date.now()));
  };

  const open = () => {
    if (events || document.hidden) return;
    events = new EventSource("/api/v1/stream");
    for (const kind of ["order", "delivery", "gap", "run", "reload"]) events.addEventListener(kind, changed);
    events.onopen = () => {
      wait = firstWait;
      tell();
      changed(); // what happened since the page was made was not heard
    };
    events.onerror = () => {
      tell();
      if (events.readyState === EventSource.CLOSED) refused();
    };
  };

  const close = () => {
    clearTimeout(again);
    events?.close();
    events = null;
  };

  // refused asks for the stream again: browsers do so by themselves only where it
  // was cut, not where the answer was an error, of a proxy while Gapless starts, say.
  const refused = () => {
    close();
    again = setTimeout(async () => {
      if (!(await look()).out) open();
    }, wait * (0.5 + Math.random() / 2)); // not all at the same moment
    wait = Math.min(2 * wait, longestWait);
  };

  open();
  document.addEventListener("visibilitychange", () => document.hidden ? close() : open());
  addEventListener("pagehide", close);
  addEventListener("pageshow", (e) => { if (e.persisted) location.reload(); });
}

// wayIn leads to the log-in and back to this page.
function wayIn() {
  const link = document.createElement("a");
  link.href = "/login?next=" + encodeURIComponent(location.pathname + location.search);
  link.textContent = "Log in again";
  return link;
}

// refresh asks for the page anew and takes in what differs. It says whether
// something did, whether something is still being made anew, whether it failed, and
// whether the log-in has ended.
async function refresh() {
  let answer;
  const here = new URL(location.href);
  here.searchParams.delete("erp"); // no ERP is asked because something changed elsewhere
  try {
    answer = await fetch(here, { headers: { Accept: "text/html" } });
  } catch {
    return { failed: true };
  }
  if (answer.redirected) return { out: new URL(answer.url).pathname === "/login" };
  if (!answer.ok) return { failed: true };
  const next = new DOMParser().parseFromString(await answer.text(), "text/html");
  let swapped = false;
  for (const old of document.querySelectorAll("[data-live]")) {
    const fresh = next.getElementById(old.id);
    if (fresh && swap(old, fresh)) swapped = true;
  }
  const nav = document.querySelector("#menu ul"), newNav = next.querySelector("#menu ul");
  if (nav && newNav && nav.innerHTML !== newNav.innerHTML) swap(nav, newNav);
  return { swapped, unfinished: next.querySelector("[data-again]") !== null };
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
