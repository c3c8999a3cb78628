// What scripts add to a page that works without them. It runs again on what
// live updates bring.

export function wire(root) {
  selects(root);
  copies(root);
  prints(root);
  filters(root);
  asks(root);
  theme();
  tick();
  drafts(root); // last: browsers that keep nothing throw
}

const asked = new WeakSet(); // a mark on the link itself would look like a change of its region

// asks fill a region with what an ERP says, which a page does not wait for.
function asks(root) {
  for (const link of root.querySelectorAll("a[data-ask]")) {
    if (asked.has(link)) continue;
    asked.add(link);
    const ask = async () => {
      const region = document.getElementById(link.dataset.ask);
      region.ariaBusy = "true";
      try {
        const answer = await fetch(link.href, { headers: { Accept: "text/html" } });
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(region.id);
        region.replaceChildren(...fresh.childNodes); // throws where the answer is another page: an error, a log-in
      } catch {
        unanswered(region, link.textContent);
      }
      region.ariaBusy = null;
    };
    link.addEventListener("click", (e) => {
      e.preventDefault();
      ask();
    });
    ask();
  }
}

// unanswered says in a region that what stands there stays, and what to do.
function unanswered(region, again) {
  const said = region.querySelector("[data-unanswered]") ?? document.createElement("p");
  said.className = "field";
  said.dataset.unanswered = "";
  said.textContent = `No answer came just now, so this is what was known before. Try again by “${again}”; if that does not help, reload the page.`;
  region.querySelector("h2").after(said);
}

// drafts keep what is typed until its form has done what it is for: a log-in may end
// meanwhile. It stays in this tab.
function drafts(root) {
  const key = "draft " + location.pathname + " " + new URLSearchParams(location.search).getAll("gap");
  for (const field of root.querySelectorAll("textarea[data-draft]")) {
    if (!field.value) field.value = sessionStorage.getItem(key) ?? "";
    field.addEventListener("input", () => sessionStorage.setItem(key, field.value));
  }
  if (new URLSearchParams(location.search).get("did") !== "ignored") return;
  for (const kept of Object.keys(sessionStorage)) if (kept.startsWith("draft ")) sessionStorage.removeItem(kept);
}

// filters apply as soon as one is chosen.
function filters(root) {
  for (const form of root.querySelectorAll("form[data-auto]:not([data-wired])")) {
    form.dataset.wired = "";
    form.addEventListener("change", (e) => { if (e.target.matches("select")) form.requestSubmit(); });
    for (const b of form.querySelectorAll("[data-go]")) b.hidden = true;
  }
}

// selects add "all" to a list of boxes, and say how many are ticked.
function selects(root) {
  for (const form of root.querySelectorAll("form[data-pick]")) {
    const all = form.querySelector("[data-all]");
    if (!all) continue;
    const boxes = () => [...form.querySelectorAll("input[name=gap]")];
    const told = () => {
      const n = boxes().filter((b) => b.checked).length;
      all.checked = n > 0 && n === boxes().length;
      all.indeterminate = n > 0 && n < boxes().length;
      const picked = form.querySelector("[data-picked]");
      if (picked) picked.textContent = n ? `${n} selected` : "Select what to act on";
      for (const b of form.querySelectorAll("[data-needs]")) b.disabled = n === 0;
    };
    all.closest("label").hidden = false;
    if (!("wired" in form.dataset)) {
      form.dataset.wired = "";
      form.addEventListener("change", (e) => {
        if (e.target.matches("[data-all]")) for (const b of boxes()) b.checked = e.target.checked;
        told();
      });
    }
    told();
  }
}

function copies(root) {
  for (const b of root.querySelectorAll("[data-copy]:not([data-wired])")) {
    b.dataset.wired = "";
    b.hidden = false;
    b.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(b.dataset.copy).textContent);
      const was = b.textContent;
      b.textContent = "Copied";
      setTimeout(() => { b.textContent = was; }, 1500);
    });
  }
}

function prints(root) {
  for (const b of root.querySelectorAll("[data-print][hidden]")) {
    b.hidden = false;
    b.addEventListener("click", () => print());
  }
}

function theme() {
  const b = document.getElementById("theme");
  if (!b?.hidden) return;
  b.hidden = false;
  b.addEventListener("click", () => {
    const chosen = document.documentElement.dataset.theme;
    const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = dark ? "light" : "dark";
    try {
      localStorage.setItem("theme", document.documentElement.dataset.theme);
    } catch {
      // it lasts as long as the page
    }
  });
}

let ticking = 0;

function tick() {
  clearInterval(ticking);
  ticking = setInterval(ages, 5000);
}

const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

function ages() {
  for (const e of document.querySelectorAll("[data-age]")) {
    const seconds = Math.round((Date.now() - Date.parse(e.closest("time").dateTime)) / 1000);
    const size = Math.abs(seconds);
    const [unit, length] = units.find(([u, l]) => size >= (u === "d" ? 2 * l : l)) ?? units[3];
    const text = size < 5 ? "just now" : seconds < 0 ? `in ${Math.floor(size / length)} ${unit}` : `${Math.floor(size / length)} ${unit} ago`;
    if (e.textContent !== text) e.textContent = text;
  }
}
